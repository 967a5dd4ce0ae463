/**
 * `memspool quarantine`: records that were set aside, and why; and their way back into the queue.
 * Nothing here deletes.
 */
import { Command } from "commander";
import { MemspoolError } from "../errors.ts";
import type { Memory, QuarantineEntryView, RetryInput } from "../memory/memory.ts";
import { PAGE_LIMIT_MAX, RETRY_COUNT_MAX } from "../record/limits.ts";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { getWhole } from "./get.ts";
import { noteIncompleteness } from "./incompleteness.ts";
import { examples, wholeNumber } from "./option-values.ts";
import { counted, manyLines, oneLine, shortBytes, shortTime } from "./printable.ts";

interface ListOptions extends GlobalOptions {
  readonly limit?: number;
  readonly cursor?: string;
}

interface RetryOptions extends GlobalOptions {
  readonly all?: boolean;
}

/** Pages looked through for one entry. */
const PAGE_COUNT_MAX = 1_000;

export function quarantineCommand(run: RunCommand): Command {
  const list = new Command("list")
    .description("List what is in quarantine")
    .option("--limit <count>", "most entries", wholeNumber(1, PAGE_LIMIT_MAX))
    .option("--cursor <cursor>", "continue a list where it stopped")
    .addHelpText(
      "after",
      examples("memspool quarantine list", "memspool quarantine list --limit 5 --json"),
    );
  list.action(() => {
    const options = list.optsWithGlobals<ListOptions>();
    return run(options, (context) => listEntries(context, options));
  });
  const show = new Command("show")
    .description("Show one entry, with its text as far as it can be read")
    .argument("<ulid>", "its id")
    .addHelpText(
      "after",
      examples(
        "memspool quarantine show 01JQ7Z8X9YABCDEFGHJKMNPQRS",
        "memspool quarantine show 01JQ7Z8X9YABCDEFGHJKMNPQRS --json",
      ),
    );
  show.action((ulid: string) =>
    run(show.optsWithGlobals<GlobalOptions>(), (context) => showEntry(context, ulid)),
  );
  const retry = new Command("retry")
    .description("Send records back to be tried again; exit code 1 if some stay")
    .argument("[ulid]", "one record's id")
    .option("--all", "all that is in quarantine")
    .addHelpText(
      "after",
      examples(
        "memspool quarantine retry 01JQ7Z8X9YABCDEFGHJKMNPQRS",
        "memspool quarantine retry --all --json",
      ),
    );
  retry.action((ulid: string | undefined) => {
    const options = retry.optsWithGlobals<RetryOptions>();
    return run(options, (context) => retryEntries(context, wantedBy(ulid, options)));
  });
  return new Command("quarantine")
    .description("Look at records that were set aside because they can not be stored")
    .addCommand(list, { isDefault: true })
    .addCommand(show)
    .addCommand(retry)
    .addHelpText(
      "after",
      examples(
        "memspool quarantine list",
        "memspool quarantine show 01JQ7Z8X9YABCDEFGHJKMNPQRS",
        "memspool quarantine retry --all",
      ),
    );
}

async function listEntries(context: CommandContext, options: ListOptions): Promise<number> {
  const { limit, cursor } = options;
  const page = await context.withApp(({ memory }) =>
    memory.quarantined({
      ...(limit === undefined ? {} : { limit }),
      ...(cursor === undefined ? {} : { cursor }),
    }),
  );
  const { output } = context;
  if (output.json) {
    output.document(page);
    return EXIT_OK;
  }
  if (page.total === 0) output.line("Nothing is in quarantine.");
  else {
    await output.table(
      [{ head: "record", width: 28 }, { head: "code", width: 28 }, { head: "why" }],
      page.entries.map((entry) => [
        `${entry.ulid}\n${shortTime(entry.quarantined_at)}`,
        `${entry.code}\n${counted(entry.attempts, "attempt")}`,
        oneLine(entry.message),
      ]),
    );
    noteIncompleteness(output, page);
  }
  return EXIT_OK;
}

async function showEntry(context: CommandContext, typed: string): Promise<number> {
  // Case means nothing in a ULID; `get` takes either, too.
  const ulid = typed.toUpperCase();
  const { entry, found } = await context.withApp(async ({ memory }) => ({
    entry: await findEntry(memory, ulid),
    found: await readable(memory, ulid),
  }));
  const { output } = context;
  if (output.json) {
    output.document({ ...entry, record: found ?? null });
    return EXIT_OK;
  }
  output.line(`${entry.ulid}  ${entry.file}  ${shortBytes(entry.bytes)}`);
  output.line(`${entry.code}: ${oneLine(entry.message)}`);
  output.line(
    `set aside ${shortTime(entry.quarantined_at)} after ${counted(entry.attempts, "attempt")}`,
  );
  output.line();
  output.line(found === undefined ? "(its text can not be read)" : manyLines(found.surface));
  return EXIT_OK;
}

/** @throws MemspoolError INVALID_ARGUMENT: to send all back is asked for by name */
function wantedBy(ulid: string | undefined, { all }: RetryOptions): RetryInput {
  if (ulid === undefined && all === true) return { limit: RETRY_COUNT_MAX };
  if (ulid !== undefined && all !== true) return { ulid };
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    "Give the id of one record, or --all for all that is in quarantine, and not both.",
  );
}

async function retryEntries(context: CommandContext, wanted: RetryInput): Promise<number> {
  const { output, signal } = context;
  const bar = await output.progress("sending back");
  const result = await context.withApp(async ({ memory }) => {
    try {
      return await memory.retry({
        ...wanted,
        signal,
        onProgress: ({ done, total }) => bar.update(done, total),
      });
    } finally {
      bar.stop();
    }
  });
  const { returned, outcomes, remaining } = result;
  const stay = outcomes.filter(({ state }) => state === "quarantined");
  const exitCode = stay.length + remaining === 0 ? EXIT_OK : EXIT_FAILED;
  if (output.json) {
    output.document(result);
    return exitCode;
  }
  if (outcomes.length === 0) output.line("Nothing is in quarantine.");
  else output.line(`${counted(returned, "record")} sent back, to be tried again`);
  for (const { ulid, error } of stay) {
    output.line(`${ulid} stays: ${error?.code}: ${oneLine(error?.message ?? "")}`);
  }
  if (remaining > 0) output.line(`${remaining} not looked at; run it again`);
  return exitCode;
}

async function findEntry(memory: Memory, ulid: string): Promise<QuarantineEntryView> {
  let cursor: string | undefined;
  for (let count = 0; count < PAGE_COUNT_MAX; count++) {
    const page = await memory.quarantined({
      limit: PAGE_LIMIT_MAX,
      ...(cursor === undefined ? {} : { cursor }),
    });
    const entry = page.entries.find((each) => each.ulid === ulid);
    if (entry !== undefined) return entry;
    cursor = page.next_cursor;
    if (cursor === undefined) break;
  }
  throw new MemspoolError(
    "NOT_FOUND",
    "No record of this id is in quarantine. See: memspool quarantine list",
  );
}

/** The record if its envelope is whole; a damaged one is why it may lie there. */
async function readable(memory: Memory, ulid: string) {
  try {
    const { record } = await getWhole(memory, ulid);
    return record.state === "quarantined" ? record : undefined;
  } catch (error) {
    if (error instanceof MemspoolError) return undefined;
    throw error;
  }
}
