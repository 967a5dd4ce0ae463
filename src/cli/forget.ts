/**
 * `memspool forget`: shows what would go, asks, and purges it for good.
 *
 * Guarantees: forgets nothing without a yes at the terminal, `--yes`, or the token of a dry run. Says
 * which backups still hold it.
 */
import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { Command } from "commander";
import { MemspoolError } from "../errors.ts";
import type { FilterInput, ForgetInput, ForgetResult } from "../memory/memory.ts";
import { type CommandContext, EXIT_FAILED, EXIT_OK, type RunCommand } from "./command-context.ts";
import {
  addFilterOptions,
  type FilterOptions,
  filterFrom,
  filterOfNamedProject,
  withoutScope,
} from "./filter-options.ts";
import { examples } from "./option-values.ts";
import { counted, oneLine, shortTime } from "./printable.ts";

interface ForgetOptions extends FilterOptions {
  readonly dryRun?: boolean;
  readonly confirm?: string;
  readonly yes?: boolean;
  readonly reason?: string;
}

export function forgetCommand(run: RunCommand): Command {
  const command = addFilterOptions(
    new Command("forget")
      .description(
        "Purge records for good: one by its id, or all that options find. Asks first; exit code 1 if " +
          "it was not done, or is still being done",
      )
      .argument("[ulid]", "one record's id"),
  )
    .option("--dry-run", "only say what would be forgotten")
    .option("--confirm <token>", "the token that a dry run gave, instead of a question")
    .option("--yes", "do not ask")
    .option("--reason <text>", "why; kept for good with the id and the time")
    .addHelpText(
      "after",
      "\n--project <name> finds the records of that project alone, none without a project.\n" +
        examples(
          "memspool forget 01JQ7Z8X9YABCDEFGHJKMNPQRS",
          "memspool forget --project atlas --dry-run",
          "memspool forget --session s1 --until 2026-03-01 --dry-run",
          "memspool forget --session s1 --until 2026-03-01 --confirm 12-5e8a0c…",
          "memspool forget 01JQ7Z8X9YABCDEFGHJKMNPQRS --yes --json",
        ),
    );
  return command.action((ulid: string | undefined) => {
    const options = command.optsWithGlobals<ForgetOptions>();
    return run(withoutScope(options), (context) => forget(context, ulid, options));
  });
}

async function forget(
  context: CommandContext,
  ulid: string | undefined,
  options: ForgetOptions,
): Promise<number> {
  const { output } = context;
  const wanted = wantedBy(ulid, options);
  const result = await context.withApp(async (app) => {
    const bar = await output.progress("forgetting");
    const carryOut = async (confirm: string) => {
      const { signal } = context;
      try {
        const onProgress = ({ done, total }: { done: number; total: number }) =>
          bar.update(done, total);
        return await app.forget({ ...wanted, confirm }, { signal, onProgress });
      } finally {
        bar.stop();
      }
    };
    if (options.confirm !== undefined && options.dryRun !== true) return carryOut(options.confirm);
    const dry = await app.memory.forget({ ...wanted, dry_run: true });
    if (options.dryRun === true || dry.confirm === undefined) return dry;
    if (options.yes === true) return carryOut(dry.confirm);
    return (await isAllowed(context, dry)) ? carryOut(dry.confirm) : dry;
  });
  if (output.json) output.document(result);
  else tell(context, result);
  if (result.state === "forgotten") return EXIT_OK;
  const isWhole = options.dryRun === true || result.count === 0;
  return result.state === "dry_run" && isWhole ? EXIT_OK : EXIT_FAILED;
}

/** @throws MemspoolError INVALID_ARGUMENT */
function wantedBy(ulid: string | undefined, options: ForgetOptions): ForgetInput {
  const { reason } = options;
  const why = reason === undefined ? {} : { reason };
  // Beside an id --project is what it is for every command: the current project.
  const others = definedOf(filterFrom(options));
  if (ulid !== undefined && Object.keys(others).length === 0) return { ulid, ...why };
  const filter = definedOf(filterOfNamedProject(options));
  if (ulid === undefined && Object.keys(filter).length > 0) return { filter, ...why };
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    "Give either the id of one record or options that say which, such as --session. See: memspool " +
      "forget --help",
  );
}

function definedOf(filter: FilterInput): FilterInput {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/** Only a person at a terminal can be asked. */
async function isAllowed({ output, stdin, stderr }: CommandContext, dry: ForgetResult) {
  if (output.json || stdin.isTTY !== true || stderr.isTTY !== true) return false;
  for (const ulid of dry.ulids) output.note(`  ${ulid}`);
  if (dry.count > dry.ulids.length) output.note(`  … ${dry.count - dry.ulids.length} more`);
  const asking = createInterface({
    input: stdin as Readable,
    output: stderr as unknown as Writable,
    terminal: true,
  });
  try {
    const answer = await asking.question(`Forget ${counted(dry.count, "record")} for good? [y/N] `);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    asking.close();
  }
}

function tell({ output }: CommandContext, result: ForgetResult): void {
  const { state, count, ulids, confirm, remains, unsearched = 0, advice } = result;
  if (state === "dry_run") {
    if (confirm !== undefined) {
      output.line(`${counted(count, "record")} would be forgotten for good`);
      for (const ulid of ulids) output.line(`  ${ulid}`);
      if (count > ulids.length) output.line(`  … ${count - ulids.length} more`);
      output.line(
        `To forget ${count === 1 ? "it" : "them"}, run it again with --confirm ${confirm}`,
      );
    } else if (advice !== undefined) output.line(oneLine(advice));
  } else {
    output.line(`${counted(count, "record")} ${state === "forgotten" ? "forgotten" : "hidden"}`);
    if (advice !== undefined) output.line(oneLine(advice));
  }
  if (unsearched > 0)
    output.line(`${counted(unsearched, "queued record")} could not be looked at, and kept`);
  for (const { directory, at, found } of remains.backups) {
    const where = found ? "" : " (not there now)";
    output.line(`still in the backup of ${shortTime(at)}: ${oneLine(directory)}${where}`);
  }
  for (const path of remains.old_stores) output.line(`may still be in ${oneLine(path)}`);
}
