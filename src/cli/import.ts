/** `memspool import`: records from an export or from the official memory server's file. */
import { Command, Option } from "commander";
import { MemspoolError } from "../errors.ts";
import type { ImportFormat, ImportResult } from "../memory/transfer/import-job.ts";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { tellHeldUp } from "./held-up.ts";
import { importTranscriptsCommand } from "./import-transcripts.ts";
import { collect, examples } from "./option-values.ts";
import { counted, oneLine } from "./printable.ts";

interface ImportCommandOptions extends GlobalOptions {
  readonly format?: ImportFormat;
  readonly tag?: readonly string[];
  readonly strict?: boolean;
}

const STDIN = "-";
const SHOWN_MAX = 20;

export function importCommand(run: RunCommand): Command {
  const command = new Command("import")
    .description("Capture the records of an export, or of the official server-memory file")
    .argument("<file>", "the file; - is stdin; one that is called transcripts is ./transcripts")
    .addOption(
      new Option("--format <format>", "what it is; told from its first line unless given").choices([
        "memspool",
        "server-memory",
      ]),
    )
    .option("--tag <tag>", "add a tag to each record of a server-memory file, repeatable", collect)
    .option("--strict", "stop at the first line that can not be taken whole")
    .addHelpText(
      "after",
      `\nRecords of an export keep their ids and times; importing again stores nothing twice.
Exit code 1 if a line was skipped or an id is here with another text.\n${examples(
        "memspool import memory.ndjson",
        "memspool import ~/memory.jsonl --project atlas --tag from-server-memory",
        "zcat atlas.ndjson.gz | memspool import -",
        "memspool import transcripts --dry-run",
      )}`,
    )
    .addCommand(importTranscriptsCommand(run));
  return command.action((file: string) => {
    const options = command.optsWithGlobals<ImportCommandOptions>();
    return run(options, (context) => importFile(context, file, options));
  });
}

async function importFile(
  context: CommandContext,
  file: string,
  options: ImportCommandOptions,
): Promise<number> {
  const { output, signal, stdin } = context;
  if (file === STDIN && stdin.isTTY === true) {
    throw new MemspoolError(
      "INVALID_ARGUMENT",
      "There is nothing on stdin to import. Name a file, or send one to stdin.",
    );
  }
  const source = file === STDIN ? { chunks: stdin } : { file };
  const bar = await output.progress("importing, lines");
  const result = await context.withApp((app) =>
    app
      .importFrom(source, {
        format: options.format,
        project: options.project,
        tags: options.tag,
        strict: options.strict,
        signal,
        onHeldUp: tellHeldUp(output, bar),
        // How many there will be shows at the end.
        onProgress: ({ lines }) => bar.update(lines, lines),
      })
      .finally(() => bar.stop()),
  );
  if (output.json) output.document(result);
  else report(context, result);
  return result.conflict_count + result.skipped_count === 0 ? EXIT_OK : EXIT_FAILED;
}

function report({ output }: CommandContext, result: ImportResult): void {
  const { captured, already_here, forgotten, conflicts, conflict_count, skipped, skipped_count } =
    result;
  const taken = `${output.style("green", "imported")} ${counted(captured, "record")}`;
  output.line(`${taken} from ${counted(result.lines, "line")} (${result.format})`);
  if (forgotten > 0) output.line(`${forgotten} were forgotten here, and stay so`);
  if (already_here > 0) output.line(`${already_here} were here already`);
  for (const { line, reason } of conflicts.slice(0, SHOWN_MAX)) {
    output.note(`warning: line ${line}: ${oneLine(reason)}; the one that is here stays`);
  }
  for (const { line, reason } of skipped.slice(0, SHOWN_MAX)) {
    output.note(`warning: line ${line} was not taken whole: ${oneLine(reason)}`);
  }
  if (conflict_count > 0) output.line(`${conflict_count} in conflict with records that are here`);
  if (skipped_count > 0) output.line(`${skipped_count} could not be taken; see the warnings`);
}
