/** `memspool recent`: the timeline, or the names of projects, sessions and tags. */
import { Command, Option } from "commander";
import type { RecentInput, RecordSummary } from "../memory/memory.ts";
import { PAGE_LIMIT_MAX } from "../record/limits.ts";
import { type CommandContext, EXIT_FAILED, EXIT_OK, type RunCommand } from "./command-context.ts";
import {
  addFilterOptions,
  type FilterOptions,
  filterFrom,
  withoutScope,
} from "./filter-options.ts";
import { noteIncompleteness } from "./incompleteness.ts";
import { examples, wholeNumber } from "./option-values.ts";
import { oneLine, shortTime } from "./printable.ts";

interface RecentOptions extends FilterOptions {
  readonly list?: RecentInput["list"];
  readonly order?: RecentInput["order"];
  readonly limit?: number;
  readonly cursor?: string;
}

export function recentCommand(run: RunCommand): Command {
  const lists = ["records", "projects", "sessions", "tags"];
  const command = addFilterOptions(
    new Command("recent")
      .description("List what was captured, newest first")
      .addOption(new Option("--list <what>", "records, or names with counts").choices(lists))
      .addOption(new Option("--order <order>", "of records").choices(["newest", "oldest"]))
      .option("--limit <count>", "most entries", wholeNumber(1, PAGE_LIMIT_MAX))
      .option("--cursor <cursor>", "continue a list where it stopped"),
  ).addHelpText(
    "after",
    examples(
      "memspool recent",
      "memspool recent --session release-42 --order oldest",
      "memspool recent --list sessions --all-projects",
    ),
  );
  return command.action(() => {
    const options = command.optsWithGlobals<RecentOptions>();
    return run(withoutScope(options), (context) => recent(context, options));
  });
}

async function recent(context: CommandContext, options: RecentOptions): Promise<number> {
  const { list, order, limit, cursor } = options;
  const result = await context.withApp(({ memory }) =>
    memory.recent({ list, order, limit, cursor, ...filterFrom(options) }),
  );
  const { output } = context;
  const exitCode = result.store_error === undefined ? EXIT_OK : EXIT_FAILED;
  if (output.json) {
    output.document(result);
    return exitCode;
  }
  const { records = [], names = [] } = result;
  if (records.length + names.length === 0) output.line("Nothing yet.");
  if (records.length > 0) {
    await output.table(
      [{ head: "record", width: 28 }, { head: "in", width: 20 }, { head: "text" }],
      records.map(row),
    );
  }
  if (names.length > 0) {
    await output.table(
      [{ head: "count", width: 9 }, { head: "last", width: 19 }, { head: list ?? "name" }],
      names.map((each) => [
        `${each.count}`,
        shortTime(each.last_at),
        oneLine(each.name) || (list === "projects" ? "(none)" : JSON.stringify(each.name)),
      ]),
    );
  }
  noteIncompleteness(output, result);
  return exitCode;
}

function row(record: RecordSummary): string[] {
  const where = [record.project, record.session_id, record.role].filter((each) => each);
  const state = record.state === "ingested" ? [] : [record.state];
  return [
    [record.ulid, shortTime(record.at), ...state].join("\n"),
    where.map((each) => oneLine(each ?? "")).join("\n"),
    oneLine(record.snippet),
  ];
}
