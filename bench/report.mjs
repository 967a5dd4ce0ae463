// Turns results into rows with figures, ratios and targets, and prints them. Pure but for the last.

const round = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "–");
const ms = (value) => `${round(value, value < 10 ? 3 : 1)} ms`;
const perSecond = (value) => `${Math.round(value).toLocaleString("en")}/s`;
const times = (value) => `${round(value, 2)} ×`;
const percent = (value) => `${round(value * 100, 0)} %`;
const spread = (form, { p25, p75 }) => `${form(p25)} – ${form(p75)}`;

/** A row: what was measured, its median, the middle half, what it is compared with, the target. */
function row(what, figure, middleHalf = "", ratio = "", target = undefined) {
  return { what, figure, middleHalf, ratio, target };
}

function target(text, met) {
  return { text, met };
}

export function latencyRows({ ms: series, toBare, toSqlite }) {
  return [
    row("the bare system calls", ms(series.bare.median), spread(ms, series.bare)),
    row("SQLite WAL+FULL, one insert", ms(series.sqlite.median), spread(ms, series.sqlite)),
    row(
      "a capture, alone",
      ms(series.memspool.median),
      spread(ms, series.memspool),
      `${times(toBare.median)} bare (${spread(times, toBare)})`,
      target("≤ 1.5 × bare", toBare.median <= 1.5),
    ),
    row("", `p95 ${ms(series.memspool.p95)}`, "", `${times(toSqlite.median)} SQLite`),
  ];
}

export function throughputRows(results) {
  return results.flatMap(({ inFlight, perSecond: series, toBare }) => [
    row(
      `bare calls, ${inFlight} in flight`,
      perSecond(series.bare.median),
      spread(perSecond, series.bare),
    ),
    row(
      `captures, ${inFlight} in flight`,
      perSecond(series.memspool.median),
      spread(perSecond, series.memspool),
      `${percent(toBare.median)} of bare`,
      inFlight === 32 ? target("≥ 3,000/s", series.memspool.median >= 3_000) : undefined,
    ),
  ]);
}

export function backlogRows({ pending, ms: series, ratio }) {
  return [
    row("a capture, nothing pending", ms(series.empty.median), spread(ms, series.empty)),
    row(
      `a capture, ${pending.toLocaleString("en")} pending`,
      ms(series.full.median),
      spread(ms, series.full),
      `${times(ratio.median)} empty (${spread(times, ratio)})`,
      target("≤ 1.2 × empty", ratio.median <= 1.2),
    ),
  ];
}

export function spillRows({ inFlight, maxRecords, perSecond: series, ratio }) {
  return [
    row(
      `captures with room, ${inFlight} in flight`,
      perSecond(series.roomy.median),
      spread(perSecond, series.roomy),
    ),
    row(
      `captures into ${maxRecords.toLocaleString("en")} full places`,
      perSecond(series.full.median),
      spread(perSecond, series.full),
      `${percent(ratio.median)} of those with room (${spread(percent, ratio)})`,
    ),
  ];
}

export function drainRows({ records, perSecond: series, toBare }) {
  return [
    row(
      `bare drain of ${records.toLocaleString("en")}`,
      perSecond(series.bare.median),
      spread(perSecond, series.bare),
    ),
    row(
      "the ingester, same files",
      perSecond(series.memspool.median),
      spread(perSecond, series.memspool),
      `${percent(toBare.median)} of bare (${spread(percent, toBare)})`,
      target("≥ 50 % of bare", toBare.median >= 0.5),
    ),
  ];
}

export function coldStartRows({ ms: series, beyondNodeMs }) {
  return [
    row("node that ends at once", ms(series.node.median), spread(ms, series.node)),
    row("node that loads the SDK", ms(series.sdk.median), spread(ms, series.sdk)),
    row(
      "memspool to initialize",
      ms(series.memspool.median),
      spread(ms, series.memspool),
      `node + ${ms(beyondNodeMs.median)} (${spread(ms, beyondNodeMs)})`,
      target("≤ node + 150 ms", beyondNodeMs.median <= 150),
    ),
  ];
}

export function hookStartRows({ ms: series, beyondNodeMs, toNode }) {
  const beyond = (name) =>
    `node + ${ms(beyondNodeMs[name].median)} (${spread(ms, beyondNodeMs[name])})`;
  return [
    row("node that ends at once", ms(series.node.median), spread(ms, series.node)),
    row(
      "a hook, one prompt of 1,000 characters",
      ms(series.hook.median),
      spread(ms, series.hook),
      `${beyond("hook")}, ${toNode.median.toFixed(2)} ×`,
      target("≤ node + 100 ms", beyondNodeMs.hook.median <= 100),
    ),
    row(
      "the same, looking for secrets",
      ms(series.secrets.median),
      spread(ms, series.secrets),
      beyond("secrets"),
    ),
  ];
}

const COLUMNS = ["what", "figure", "middleHalf", "ratio"];

export function printSection(title, rows) {
  const widths = COLUMNS.map((column) => Math.max(...rows.map((each) => each[column].length)));
  console.log(`\n${title}`);
  for (const each of rows) {
    const cells = COLUMNS.map((column, index) => {
      const left = column === "what" || column === "ratio";
      return left ? each[column].padEnd(widths[index]) : each[column].padStart(widths[index]);
    });
    const verdict =
      each.target && `target ${each.target.text}: ${each.target.met ? "met" : "MISSED"}`;
    console.log(`  ${[...cells, verdict ?? ""].join("   ").trimEnd()}`);
  }
}
