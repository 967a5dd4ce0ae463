/** What changes in a file, as a unified diff that people and `patch` read. */

const CONTEXT_LINES = 3;
/** A line that is longer is shown around the place where it changes. */
const LINE_CHARS_MAX = 400;
const SHOWN_BEFORE_CHARS = 80;
const SHOWN_AFTER_CHARS = 280;

export interface Versions {
  readonly path: string;
  /** Undefined if the file is not there. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Empty if nothing changes. */
export async function unifiedDiff({ path, before, after }: Versions): Promise<string> {
  if (before === after) return "";
  // Loaded here, so that no other command pays for it.
  const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import("diff");
  const nameOf = (text: string | undefined) => (text === undefined ? "/dev/null" : path);
  return createTwoFilesPatch(nameOf(before), nameOf(after), before ?? "", after ?? "", "", "", {
    context: CONTEXT_LINES,
    headerOptions: FILE_HEADERS_ONLY,
  });
}

/** A diff for the eye: lines of more than some hundred characters are cut to where they differ. */
export function readableDiff(diff: string): string {
  const lines = diff.split("\n");
  return lines
    .map((line, at) => {
      if (line.length <= LINE_CHARS_MAX) return line;
      const other = line.startsWith("-")
        ? lines.slice(at + 1).find((each) => each.startsWith("+"))
        : lines.slice(0, at).findLast((each) => each.startsWith("-"));
      const differs = /^[-+]/.test(line)
        ? firstDifference(line.slice(1), other?.slice(1) ?? "")
        : 0;
      const from = Math.max(0, differs - SHOWN_BEFORE_CHARS);
      const shown = line.slice(1 + from, 1 + differs + SHOWN_AFTER_CHARS);
      return `${line[0]}${from > 0 ? "…" : ""}${shown}…`;
    })
    .join("\n");
}

function firstDifference(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  return at;
}
