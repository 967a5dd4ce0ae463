// `npm run bench:recall [-- --half=dev|held-out|both] [--kind=NAMES] [--by=lang] [--ablate]
//   [--show-misses] [--json]`
// `npm run bench:recall -- --data=PATH --questions=FILE …` measures another data set of the same form.
// Captures a data set into a fresh home, asks its questions through the search of the MCP tool, and
// prints how much of the evidence comes back, beside SQLite's FTS5 over the same turns. Each half is
// a memory of its own. It decides nothing; README.md says what the held-out half is for.
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BASELINES, openBaseline } from "./baseline.mjs";
import { HALVES, readQuestions, readTurns, turnKey } from "./dataset.mjs";
import { openMemory } from "./memory-under-test.mjs";
import { figuresOf, meanFigures, pairedBootstrap } from "./metrics.mjs";
import { differenceLines, groupLines, overallLines } from "./table.mjs";
import { searchVariants } from "./variants.mjs";

const LIMIT = 20;
const SEED = 20_260_301;
const COMPARED = ["recall@1", "recall@5", "recall@10", "recall@20", "MRR"];

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

function refuse(message) {
  console.error(message);
  process.exit(2);
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        half: { type: "string", default: "dev" },
        kind: { type: "string" },
        by: { type: "string", default: "kind" },
        data: { type: "string" },
        questions: { type: "string" },
        ablate: { type: "boolean", default: false },
        "show-misses": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
    return values;
  } catch (error) {
    return refuse(error.message);
  }
}

const given = options();
if (![...HALVES, "both"].includes(given.half)) refuse("--half is dev, held-out or both");
if (!["kind", "lang"].includes(given.by)) refuse("--by is kind or lang");
if ((given.data === undefined) !== (given.questions === undefined)) {
  refuse("--data and --questions go together: a data set of your own and what to ask it");
}
const own = given.data !== undefined;
if (given["show-misses"] && (own ? namesHeldOut() : given.half !== "dev")) {
  refuse("--show-misses is for the dev half: whoever sees the others' misses tunes on them");
}
const kinds = given.kind?.split(",");

/** Whether the data set that was named is the held-out half. */
function namesHeldOut() {
  const kept = [here("data/held-out"), here("questions-held-out.jsonl")].map((path) =>
    realpathSync(path),
  );
  return [given.data, given.questions].some((path) =>
    kept.some((each) => realpathSync(path) === each || realpathSync(path).startsWith(`${each}/`)),
  );
}

/** What is run: a name, the turns, and the questions of the kinds asked for. */
function dataSets() {
  const set = (name, data, file) => {
    const turns = readTurns(data);
    const questions = readQuestions(file, turns).filter(
      ({ kind }) => kinds === undefined || kinds.includes(kind),
    );
    if (questions.length === 0) refuse(`${name} has no question${kinds ? ` of ${kinds}` : ""}`);
    return { name, turns, questions };
  };
  if (own) return [set(given.data, given.data, given.questions)];
  return HALVES.filter((half) => given.half === "both" || half === given.half).map((half) =>
    set(half, here(`data/${half}/`), here(`questions-${half}.jsonl`)),
  );
}

/** Runs all questions through one system. */
async function ask(name, questions, search) {
  const startedMs = performance.now();
  const answers = [];
  for (const question of questions) {
    const ranked = await search(question.question);
    const evidence = question.evidence.map(turnKey);
    answers.push({ ...question, ranked, figures: figuresOf(evidence, ranked) });
  }
  const msEach = (performance.now() - startedMs) / questions.length;
  return { name, answers, msEach };
}

/** Adds means in all and by kind, or by language. */
function summary({ name, answers, msEach }) {
  const groupOf = (answer) => answer[given.by] ?? "unknown";
  const present = [...new Set(answers.map(groupOf))].sort();
  return {
    name,
    msEach,
    all: meanFigures(answers.map(({ figures }) => figures)),
    groups: Object.fromEntries(
      present.map((group) => {
        const some = answers.filter((answer) => groupOf(answer) === group);
        return [
          group,
          { count: some.length, figures: meanFigures(some.map(({ figures }) => figures)) },
        ];
      }),
    ),
  };
}

function compare(ours, theirs) {
  return COMPARED.map((figure) => {
    const column = ({ answers }) => answers.map(({ figures }) => figures[figure]);
    const { difference, low, high } = pairedBootstrap(column(ours), column(theirs), { seed: SEED });
    return { name: theirs.name, figure, difference, low, high };
  });
}

async function measure({ name, turns, questions }, dir, variants) {
  const home = join(dir, `home-${name.replace(/[^\w]+/g, "-")}`);
  const memory = await openMemory(home, turns);
  try {
    const searches = [];
    for (const variant of variants) {
      searches.push(
        await ask(variant.name, questions, (text) => memory.search(text, variant.input, LIMIT)),
      );
    }
    const baselines = [];
    for (const [baseline, form] of Object.entries(BASELINES)) {
      const search = openBaseline(turns, form);
      baselines.push(await ask(baseline, questions, async (text) => search(text, LIMIT)));
    }
    return { name, turns: turns.length, searches, baselines };
  } finally {
    await memory.close();
  }
}

function print({ name, turns, searches, baselines }) {
  const [shipped] = searches;
  const systems = [...searches, ...baselines].map(summary);
  const [first] = systems;
  const plain = summary(baselines[0]);
  const lines = [
    `\n${name}: ${turns.toLocaleString("en")} turns, ${shipped.answers.length} questions, ` +
      `${first.msEach.toFixed(1)} ms a search`,
    ...overallLines(systems).map((line) => `  ${line}`),
    "",
    ...groupLines(given.by, first, plain).map((line) => `  ${line}`),
    "",
    ...differenceLines([
      ...compare(shipped, baselines[0]),
      ...searches.slice(1).flatMap((variant) => compare(shipped, variant).slice(2, 3)),
    ]).map((line) => `  ${line}`),
  ];
  console.log(lines.join("\n"));
}

function printMisses({ searches, turns: _count, texts }) {
  for (const { id, kind, question, evidence, ranked, figures } of searches[0].answers) {
    if (figures["recall@10"] === 1) continue;
    console.log(`\n${id} (${kind}) ${question}`);
    for (const each of evidence) {
      const key = turnKey(each);
      const place = ranked.indexOf(key);
      console.log(`  ${place === -1 ? "missed" : `at ${place + 1}`}  ${key}  ${texts.get(key)}`);
    }
    console.log(`  first   ${ranked[0] ?? "nothing"}  ${texts.get(ranked[0]) ?? ""}`);
  }
}

function document(result) {
  const [shipped] = result.searches;
  return {
    name: result.name,
    turns: result.turns,
    questions: shipped.answers.length,
    systems: [...result.searches, ...result.baselines].map(summary),
    differences: [...result.baselines, ...result.searches.slice(1)].flatMap((other) =>
      compare(shipped, other),
    ),
  };
}

const dir = mkdtempSync(join(realpathSync(tmpdir()), "memspool-recall-"));
const removeDir = () => rmSync(dir, { recursive: true, force: true });
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    removeDir();
    process.exit(1);
  });
}
try {
  const sets = dataSets();
  mkdirSync(join(dir, "source"));
  const variants = await searchVariants(join(dir, "source"), { ablate: given.ablate });
  const documents = [];
  for (const set of sets) {
    const result = await measure(set, dir, variants);
    documents.push(document(result));
    if (!given.json) print(result);
    if (given["show-misses"]) {
      const texts = new Map(set.turns.map((turn) => [turnKey(turn), turn.text]));
      printMisses({ ...result, texts });
    }
  }
  if (given.json) console.log(JSON.stringify(documents, null, 2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  removeDir();
}
