/**
 * The status as lines of text: state and reason first, what matters less further down. Pure.
 *
 * Guarantees: no line takes more cells than there are columns, and there are never more lines than
 * rows; what has no room is left out from the end, the last events first. Control characters in names
 * and messages are made visible.
 */
import type { StatusReport } from "../memory/memory.ts";
import { bar, cutLine, level } from "./drawing.ts";
import type { Style } from "./output.ts";
import {
  counted,
  hang,
  oneLine,
  shortBytes,
  shortDuration,
  shortMib,
  shortTime,
} from "./printable.ts";

export interface Screen {
  /** Infinity where nothing has to fit. */
  readonly columns: number;
  readonly rows: number;
  readonly style: (style: Style, text: string) => string;
  /** Drawn under the state: what was seen over time. */
  readonly over?: readonly Entry[];
}

export type Entry = readonly [name: string, text: string];

const NAME_CELLS = 11;
const REASON_LINES_MAX = 6;
const EVENTS_MAX = 5;
const BAR_CELLS = 12;
const WHEN_FULL: Readonly<Record<StatusReport["queue"]["overflow"], string>> = {
  spill: "the oldest are spilled",
  reject: "captures are refused",
  "drop-oldest": "the oldest are dropped",
};
const AGE_NAMES: Readonly<Record<number, string>> = {
  1: "<1s",
  10: "<10s",
  60: "<1m",
  600: "<10m",
  3600: "<1h",
  86400: "<1d",
};

export function statusLines(status: StatusReport, screen: Screen): string[] {
  const first = [
    ...stateEntries(status, screen),
    ...(screen.over ?? []),
    ...queueEntries(status),
    ...pressureEntries(status, screen),
    ...ingesterEntries(status),
    ...storeEntries(status),
  ];
  const last = [...quietEntries(status), ["data", dataOf(status)] as const];
  const room = screen.rows - first.length - last.length;
  const events = eventEntries(status, Math.min(EVENTS_MAX, Math.max(0, room)));
  return [...first, ...events, ...last]
    .slice(0, screen.rows)
    .map(([name, text]) => cutLine(`${withName(name, screen)}${text}`, screen.columns));
}

/** Where there is no room for a name and a word, the word is what matters. */
function withName(name: string, { columns }: Screen): string {
  return columns < 2 * NAME_CELLS ? "" : name.padEnd(NAME_CELLS);
}

function stateEntries({ state, reasons, pressure }: StatusReport, screen: Screen): Entry[] {
  const colour = state === "ok" ? "green" : state === "degraded" ? "yellow" : "red";
  const lines = reasons.flatMap((reason) => {
    const text = oneLine(reason);
    const cells = Math.max(screen.columns, NAME_CELLS + 20);
    return Number.isFinite(cells) ? hang(text, cells - NAME_CELLS, 0).split("\n") : [text];
  });
  const shown =
    Number.isFinite(screen.rows) && lines.length > REASON_LINES_MAX
      ? [...lines.slice(0, REASON_LINES_MAX - 1), "… and more: memspool status --json"]
      : lines;
  const since =
    pressure.since === null ? "" : `, under pressure since ${shortTime(pressure.since)}`;
  return [
    ["state", `${screen.style(colour, state)}${since}`],
    ...shown.map((text) => ["", text] as const),
  ];
}

function queueEntries({ queue, ingest_rate, pressure }: StatusReport): Entry[] {
  const oldest =
    queue.oldest_age_ms === null ? "" : `, the oldest for ${shortDuration(queue.oldest_age_ms)}`;
  const spilled = queue.spilled === 0 ? "" : ` and ${queue.spilled} spilled`;
  const beside = [
    ...(queue.depth * 2 >= queue.max_records
      ? [`at most ${queue.max_records} pending, then ${WHEN_FULL[queue.overflow]}`]
      : []),
    ...(queue.quarantined > 0 ? [`${queue.quarantined} in quarantine`] : []),
    ...(queue.forgetting > 0 ? [`${counted(queue.forgetting, "order")} to forget under way`] : []),
  ];
  const { p50, p99 } = pressure.ack_ms;
  const acks =
    p99 === 0 ? "" : `; captures take ${shortDuration(p50)}, ${shortDuration(p99)} (p99)`;
  return [
    ["queue", `${queue.depth} pending (${shortBytes(queue.bytes)})${spilled}${oldest}`],
    ...(queue.depth === 0 ? [] : [["age", histogram(queue.age_histogram, queue.depth)] as const]),
    ...(beside.length === 0 ? [] : [["", beside.join("; ")] as const]),
    ["rate", `${ingest_rate} records/s into the store${acks}`],
  ];
}

function histogram(buckets: StatusReport["queue"]["age_histogram"], depth: number): string {
  return buckets
    .map(({ under_s, count }) => {
      const name = under_s === undefined ? "older" : (AGE_NAMES[under_s] ?? `<${under_s}s`);
      return `${name} ${count === 0 ? "" : level(count / depth)}${count}`;
    })
    .join("  ");
}

function pressureEntries({ spool, spool_bytes, pressure }: StatusReport, screen: Screen): Entry[] {
  const used = spool_bytes?.used ?? spool.used_mb * 1_048_576;
  const share = used / (spool_bytes?.quota ?? spool.quota_mb * 1_048_576);
  const colour = spool.state === "normal" ? "green" : spool.state === "soft" ? "yellow" : "red";
  const drawn = screen.style(colour, bar(share, BAR_CELLS));
  const percent = `${Math.floor(share * 100)} %`;
  const limits = `soft ${spool.soft_pct}, hard ${spool.hard_pct} %`;
  const numbers = `${shortMib(used)} of ${spool.quota_mb} MiB`;
  const quota = `[${drawn}] ${percent}, ${numbers}, ${spool.state} (${limits})`;
  const { refused, governor, memory } = pressure;
  const happened = [
    ...(pressure.waiting > 0
      ? [pressure.waiting === 1 ? "1 capture waits" : `${pressure.waiting} captures wait`]
      : []),
    ...(pressure.delayed > 0 ? [`${pressure.delayed} delayed`] : []),
    ...(refused.quota > 0 ? [`${refused.quota} refused by quota`] : []),
    ...(refused.early_drop > 0 ? [`${refused.early_drop} refused early`] : []),
    ...(refused.memory > 0 ? [`${refused.memory} refused for memory`] : []),
    ...(memory.level === "normal" ? [] : [`memory ${memory.level}`]),
  ];
  const cause = governor.cause === null ? "" : ` (${governor.cause})`;
  const since = governor.since === null ? "" : ` since ${shortTime(governor.since)}`;
  return [
    ["quota", quota],
    ...(happened.length === 0 ? [] : [["pressure", happened.join(", ")] as const]),
    ...(governor.state === "normal"
      ? []
      : [["pace", `${governor.share_pct} %, ${governor.state}${since}${cause}`] as const]),
  ];
}

function ingesterEntries({ ingester }: StatusReport): Entry[] {
  const { leader, last_batch: last, delayed } = ingester;
  const who =
    leader === null
      ? "no process drains"
      : `process ${leader.pid} since ${shortTime(leader.since)}`;
  const batch = last === null ? "" : `, last batch ${last.count} in ${shortDuration(last.ms)}`;
  return [
    ["ingester", `${who}${batch}`],
    ...(delayed === null
      ? []
      : [["", `waits until ${shortTime(delayed.until)} after ${delayed.code}`] as const]),
  ];
}

function storeEntries({ store }: StatusReport): Entry[] {
  const records = store.records === null ? "" : `, ${counted(store.records, "record")}`;
  const bytes = store.bytes === null ? "" : `, ${shortBytes(store.bytes)}`;
  return [
    ["store", `${store.kind} ${store.state}${records}${bytes}`],
    ...(store.error === null
      ? []
      : [["", `${store.error.code}: ${oneLine(store.error.message)}`] as const]),
  ];
}

/** The newest last, as in a log. */
function eventEntries({ events }: StatusReport, countMax: number): Entry[] {
  if (countMax === 0) return [];
  return events.slice(-countMax).map(({ time, severity, code, message }, index) => {
    const at = /T(\d\d:\d\d:\d\d)/.exec(time)?.[1] ?? time;
    const text = `${at} ${severity.padEnd(8)} ${code} ${message}`;
    return [index === 0 ? "events" : "", oneLine(text)];
  });
}

/** What is only told when there is something to tell. */
function quietEntries({ hooks, privacy, retention }: StatusReport): Entry[] {
  const entries: Entry[] = [];
  if (hooks.captured + hooks.failures > 0) {
    const failed = hooks.failures === 0 ? "" : `, ${counted(hooks.failures, "failure")}`;
    entries.push(["hooks", `${counted(hooks.captured, "turn")} captured${failed}`]);
  }
  if (retention.on) {
    const days = retention.days === 0 ? "for ever" : counted(retention.days, "day");
    const own = retention.projects === 0 ? "" : `, ${counted(retention.projects, "project")} apart`;
    const done = counted(retention.forgotten, "record");
    entries.push(["retention", `on, kept ${days}${own}; forgotten by this process: ${done}`]);
  }
  const takenOut = [
    ...(privacy.private_spans ? ["<private> spans"] : []),
    ...(privacy.secrets ? ["known secrets"] : []),
    ...(privacy.patterns > 0 ? [counted(privacy.patterns, "own pattern")] : []),
  ];
  if (takenOut.length > 0) {
    entries.push(["privacy", `on, taken out before storing: ${takenOut.join(", ")}`]);
  }
  return entries;
}

function dataOf({ data_dir, project }: StatusReport): string {
  return `${oneLine(data_dir)}${project === "" ? "" : `, project ${oneLine(project)}`}`;
}
