/** Text of records made safe and short enough to show in a terminal. */

/**
 * Control characters, and the marks that reorder what stands around them, become visible, so that
 * a record can neither move the cursor nor disguise the line that it is shown on.
 */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** One line: breaks and runs of blanks become one blank, other control characters a symbol. */
export function oneLine(text: string): string {
  return text.replace(/\s+/gu, " ").trim().replace(UNSAFE, visible);
}

/** As written, line breaks and tabs kept. */
export function manyLines(text: string): string {
  return text.replace(UNSAFE, (unit) => (unit === "\n" || unit === "\t" ? unit : visible(unit)));
}

function visible(unit: string): string {
  const code = unit.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
}

/** `2026-03-01T09:30:00.000Z` → `2026-03-01 09:30Z`; anything else as it is. */
export function shortTime(iso: string): string {
  const ms = Date.parse(iso);
  if (Number.isNaN(ms)) return iso;
  const [day = "", time = ""] = new Date(ms).toISOString().split("T");
  return `${day} ${time.slice(0, 5)}Z`;
}

export function shortBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const kib = bytes / 1_024;
  return kib < 1_024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1_024).toFixed(1)} MiB`;
}

/** MiB without the unit: tenths below ten, and never more than there is. */
export function shortMib(bytes: number): string {
  const mib = bytes / 1_048_576;
  return String(mib >= 10 ? Math.floor(mib) : Math.floor(mib * 10) / 10);
}

export function shortDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 90) return `${seconds.toFixed(1)} s`;
  const minutes = seconds / 60;
  return minutes < 90 ? `${Math.round(minutes)} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** `1 record`, `2 records`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Breaks a line between words; every line after the first begins with so many blanks. */
export function hang(text: string, cells: number, indentCells: number): string {
  let line = "";
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > cells - indentCells) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${" ".repeat(indentCells)}`);
}

/** At most this many UTF-16 code units, an ellipsis for the rest, no surrogate pair split. */
export function clip(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const cut = text.slice(0, charsMax - 1);
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

/**
 * Puts line breaks into words that are wider than a column, so that nothing of them is cut off.
 * Every character from Hangul on counts two cells: too many for some, never too few.
 */
export function breakLongWords(text: string, cells: number): string {
  return text.replace(/\S+/gu, (word) => {
    let broken = "";
    let used = 0;
    for (const character of word) {
      const width = (character.codePointAt(0) ?? 0) < 0x1100 ? 1 : 2;
      if (used + width > cells) {
        broken += "\n";
        used = 0;
      }
      broken += character;
      used += width;
    }
    return broken;
  });
}
