/**
 * Bars, sparklines, and lines cut to a terminal's width. Pure.
 *
 * Guarantees: a cut line never takes more cells than it may, colours are closed again, and nothing is
 * cut inside a character.
 */

const EIGHTHS = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;
const LEVELS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
const COLOUR = /(\u001b\[[0-9;]*m)/;

/** Cells that a character takes: two from Hangul on but for what memspool draws itself. */
function cellsOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x1100) return 1;
  const isNarrow =
    (code >= 0x1e00 && code < 0x2070) || // Latin and Greek extensions, punctuation
    (code >= 0x2190 && code < 0x2200) || // arrows
    (code >= 0x2400 && code < 0x2440) || // pictures of control characters
    (code >= 0x2500 && code < 0x25a0) || // boxes and blocks
    code === 0xfffd;
  return isNarrow ? 1 : 2;
}

/** Of a text with or without colours. Too many for some characters, never too few. */
export function textCells(text: string): number {
  let cells = 0;
  for (const part of text.split(COLOUR)) {
    if (!COLOUR.test(part)) for (const character of part) cells += cellsOf(character);
  }
  return cells;
}

/** The text, or its beginning and an ellipsis. */
export function cutLine(text: string, cells: number): string {
  if (textCells(text) <= cells) return text;
  if (cells <= 0) return "";
  let kept = "";
  let used = 0;
  let isFull = false;
  for (const part of text.split(COLOUR)) {
    if (COLOUR.test(part)) {
      kept += part;
      continue;
    }
    for (const character of part) {
      if (isFull) break;
      used += cellsOf(character);
      isFull = used > cells - 1;
      kept += isFull ? "…" : character;
    }
  }
  return kept;
}

/** `[█████▌    ]` without the brackets. @param share of the whole; beyond 1 is full */
export function bar(share: number, cells: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * cells * 8);
  const whole = Math.floor(eighths / 8);
  const rest = EIGHTHS[(eighths % 8) - 1] ?? "";
  return `${"█".repeat(whole)}${rest}`.padEnd(cells, " ");
}

/** One character for a share of the whole: blank for none, a low block for any. */
export function level(share: number): string {
  if (!(share > 0)) return " ";
  return LEVELS[Math.min(LEVELS.length - 1, Math.floor(share * LEVELS.length))] ?? " ";
}

/** The last values, one character each, the highest of them a full block; undefined is a gap. */
export function sparkline(values: readonly (number | undefined)[], cells: number): string {
  if (cells <= 0) return "";
  const shown = values.slice(-cells);
  const most = Math.max(0, ...shown.map((value) => value ?? 0));
  const drawn = shown.map((value) => (value === undefined ? " " : level(value / (most || 1))));
  return drawn.join("").padStart(cells, " ");
}
