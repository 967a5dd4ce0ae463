/** What an installation changes and what is left to do, in words and as a diff. */
import type { Output } from "../output.ts";
import { manyLines, oneLine } from "../printable.ts";
import type { PlannedChange } from "./change-plan.ts";
import type { Client } from "./client.ts";
import { readableDiff, unifiedDiff } from "./unified-diff.ts";

/** Shows the diff of all files, unless the answer is to be JSON, and returns it. */
export async function showChanges(
  output: Output,
  changes: readonly PlannedChange[],
  name: string,
): Promise<string> {
  const diffs: string[] = [];
  for (const { file, after, state, action } of changes) {
    const before = file.bytes === undefined ? undefined : file.text;
    if (action !== "unchanged") diffs.push(await unifiedDiff({ path: file.path, before, after }));
    if (file.target !== file.path && action !== "unchanged") {
      output.note(`note: ${oneLine(file.path)} is a link; ${oneLine(file.target)} is what changes`);
    }
    if (state === "foreign" && action === "unchanged") {
      output.note(
        `note: "${oneLine(name)}" in ${oneLine(file.path)} starts something else, and stays`,
      );
    }
  }
  const diff = diffs.join("");
  if (!output.json && diff !== "") {
    for (const line of manyLines(readableDiff(diff.trimEnd())).split("\n")) {
      output.line(coloured(output, line));
    }
    output.line();
  }
  return diff;
}

function coloured(output: Output, line: string): string {
  if (line.startsWith("+++") || line.startsWith("---")) return output.style("bold", line);
  if (line.startsWith("@@")) return output.style("cyan", line);
  if (line.startsWith("+")) return output.style("green", line);
  return line.startsWith("-") ? output.style("red", line) : line;
}

export interface Outcome {
  readonly uninstall: boolean;
  readonly dryRun: boolean;
  /** One for each change, where there is one. */
  readonly backups: readonly (string | undefined)[];
}

export function showDone(
  output: Output,
  client: Client,
  changes: readonly PlannedChange[],
  { uninstall, dryRun, backups }: Outcome,
): void {
  if (changes.every(({ action }) => action === "unchanged")) {
    const state = uninstall ? "is not installed in" : "is already installed in";
    output.line(`memspool ${state} ${client.title}; nothing to change.`);
    for (const { file } of changes) output.line(output.style("dim", `  ${oneLine(file.path)}`));
    return;
  }
  for (const [at, { action, file }] of changes.entries()) {
    output.line(`${(dryRun ? WOULD[action] : DID[action]).padEnd(14)} ${oneLine(file.path)}`);
    const backup = backups[at];
    if (backup !== undefined)
      output.line(output.style("dim", `  kept before:   ${oneLine(backup)}`));
  }
  if (dryRun) output.line("Nothing was written: this was a dry run.");
  else if (uninstall) output.line(`Restart ${client.title}, so that it lets go of memspool.`);
  else for (const sentence of client.afterwards) output.line(sentence);
}

const DID = { created: "written", changed: "changed", removed: "removed", unchanged: "unchanged" };
const WOULD = {
  created: "would write",
  changed: "would change",
  removed: "would remove",
  unchanged: "unchanged",
};
