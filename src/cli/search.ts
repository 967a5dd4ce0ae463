/** `memspool search`: ranked answers to a few words. */
import { Command, InvalidArgumentError, Option } from "commander";
import type { ContextTurn, HitExplanation, SearchHit } from "../memory/memory.ts";
import { SEARCH_LIFTS, type SearchLift } from "../memory/search-lifts.ts";
import { CONTEXT_TURNS_MAX, PAGE_LIMIT_MAX } from "../record/limits.ts";
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
  readonly context?: number;
  readonly explain?: boolean;
  readonly without?: readonly SearchLift[];
}

export function searchCommand(run: RunCommand): Command {
  const command = addFilterOptions(
    new Command("search")
      .description("Find records by their words, best first")
      .argument("<words...>", "what to look for")
      .option("--limit <count>", "most results", wholeNumber(1, PAGE_LIMIT_MAX))
      .option("--cursor <cursor>", "continue a search where it stopped")
      .option(
        "--context <turns>",
        "turns of the session to show before and after each",
        wholeNumber(0, CONTEXT_TURNS_MAX),
      )
      .option("--explain", "say why each ranks where it does")
      .addOption(
        new Option("--without <step>", "leave out a step of the ranking, repeatable")
          .choices(SEARCH_LIFTS)
          .argParser(collectStep),
      ),
  ).addHelpText(
    "after",
    examples(
      "memspool search Which port does the staging database use?",
      "memspool search raven --session tea-party --limit 3",
      "memspool search dentist --context 2 --explain",
      "memspool search deploy --all-projects --json",
    ),
  );
  return command.action((words: string[]) => {
    const options = command.optsWithGlobals<SearchOptions>();
    return run(withoutScope(options), (context) => search(context, words.join(" "), options));
  });
}

async function search(context: CommandContext, query: string, options: SearchOptions) {
  const { limit, cursor, explain, without = [] } = options;
  const lifts = Object.fromEntries(without.map((step) => [step, false]));
  const result = await context.withApp(({ memory }) =>
    memory.search({
      ...{ query, limit, cursor, explain, context: options.context },
      ...(without.length === 0 ? {} : { lifts }),
      ...filterFrom(options),
    }),
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
  const text = [
    ...(hit.before ?? []).map(besideLine),
    oneLine(hit.snippet),
    ...(hit.after ?? []).map(besideLine),
    ...(hit.explain === undefined ? [] : explainLines(hit.explain)),
  ];
  return [hit.score.toFixed(2), named.join("\n"), text.join("\n")];
}

/** A turn beside a hit, set apart from it. */
function besideLine({ role, source, snippet }: ContextTurn): string {
  const who = source ?? role;
  return `  ${who === undefined ? "" : `${oneLine(who)}: `}${oneLine(snippet)}`;
}

/** What these did was added; the others multiply. */
const ADDING_STEPS: ReadonlySet<string> = new Set<SearchLift>(["date", "neighbours"]);

function explainLines({ bm25, words, missing = [], steps }: HitExplanation): string[] {
  const held = words.map(({ word, score, spelled_as: meant }) => {
    const spelled = meant === undefined ? "" : ` (as ${meant.join(", ")})`;
    return `${word}${spelled} ${score.toFixed(2)}`;
  });
  const shown = Object.entries(steps).map(([step, by]) =>
    ADDING_STEPS.has(step) ? `${step} +${by.toFixed(2)}` : `${step} ×${by.toFixed(2)}`,
  );
  return [
    `= bm25 ${bm25.toFixed(2)}: ${held.join(", ") || "no word of its own"}`,
    ...(missing.length === 0 ? [] : [`= without ${missing.join(", ")}`]),
    ...(shown.length === 0 ? [] : [`= ${shown.join(", ")}`]),
  ].map(oneLine);
}

function collectStep(value: string, previous: readonly SearchLift[] = []): readonly SearchLift[] {
  const step = SEARCH_LIFTS.find((each) => each === value);
  if (step === undefined) {
    throw new InvalidArgumentError(`It must be one of ${SEARCH_LIFTS.join(", ")}.`);
  }
  return [...previous, step];
}
