// Results as aligned text. Shares are per cent with one decimal.
import { DEPTHS } from "./metrics.mjs";

const COLUMNS = [...DEPTHS.map((k) => `recall@${k}`), "hit@1", "hit@10", "MRR"];

const percent = (value) => (Number.isFinite(value) ? (value * 100).toFixed(1) : "–");
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value * 100).toFixed(1)}`;

/** @param rows arrays of cells; the first row is the head, the first column is text */
function align(rows) {
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => [...row[column]].length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** @param systems {name, all: figures}[] */
export function overallLines(systems) {
  return align([
    ["", ...COLUMNS],
    ...systems.map(({ name, all }) => [name, ...COLUMNS.map((column) => percent(all[column]))]),
  ]);
}

/** One line a group: how many questions, then the figures of ours, then recall@10 of the baseline. */
export function groupLines(by, ours, theirs) {
  return align([
    [by, "questions", ...COLUMNS, `recall@10 ${theirs.name}`],
    ...Object.entries(ours.groups).map(([group, { count, figures }]) => [
      group,
      String(count),
      ...COLUMNS.map((column) => percent(figures[column])),
      percent(theirs.groups[group].figures["recall@10"]),
    ]),
  ]);
}

/** @param comparisons {name, figure, difference, low, high}[] */
export function differenceLines(comparisons) {
  return align([
    ["points over", "figure", "difference", "95 % of draws"],
    ...comparisons.map(({ name, figure, difference, low, high }) => [
      name,
      figure,
      signed(difference),
      `${signed(low)} … ${signed(high)}`,
    ]),
  ]);
}
