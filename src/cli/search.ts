/** `memspool search`: ranked answers to a few words. */
import { Command } from "commander";
import type { SearchHit } from "../memory/memory.ts";
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

interface SearchOptions extends FilterOptions {
  readonly limit?: number;
  readonly cursor?: string;
}

export function searchCommand(run: RunCommand): Command {
  const command = addFilterOptions(
    new Command("search")
      .description("Find records by their words, best first")
      .argument("<words...>", "what to look for")
      .option("--limit <count>", "most results", wholeNumber(1, PAGE_LIMIT_MAX))
      .option("--cursor <cursor>", "continue a search where it stopped"),
  ).addHelpText(
    "after",
    examples(
      "memspool search staging database port",
      "memspool search raven --session tea-party --limit 3",
      "memspool search deploy --all-projects --json",
    ),
  );
  return command.action((words: string[]) => {
    const options = command.optsWithGlobals<SearchOptions>();
    return run(withoutScope(options), (context) => search(context, words.join(" "), options));
  });
}

async function search(context: CommandContext, query: string, options: SearchOptions) {
  const { limit, cursor } = options;
  const result = await context.withApp(({ memory }) =>
    memory.search({ query, limit, cursor, ...filterFrom(options) }),
  );
  const { output } = context;
  const exitCode = result.store_error === undefined ? EXIT_OK : EXIT_FAILED;
  if (output.json) {
    output.document(result);
    return exitCode;
  }
  if (result.results.length === 0) output.line("Nothing found.");
  else {
    await output.table(
      [{ head: "score", width: 8 }, { head: "record", width: 28 }, { head: "text" }],
      result.results.map(row),
    );
  }
  noteIncompleteness(output, result);
  return exitCode;
}

function row(hit: SearchHit): string[] {
  const about = [hit.ulid, shortTime(hit.at), hit.session_id, hit.role, hit.source];
  const named = about.filter((each) => each !== undefined).map(oneLine);
  if (hit.state !== "ingested") named.push(hit.state);
  if (hit.superseded_by !== undefined) named.push(`superseded by ${hit.superseded_by}`);
  return [hit.score.toFixed(2), named.join("\n"), oneLine(hit.snippet)];
}
