// `npm run bench:recall [-- --half=dev|held-out|both] [--kind=NAMES] [--by=lang] [--ablate]
//   [--show-misses] [--json]`
// `npm run bench:recall -- --data=PATH --questions=FILE …` measures another data set of the same form.
// Captures a data set into a fresh home, asks its questions through the search of the MCP tool, and
// prints how much of the evidence comes back, beside SQLite's FTS5 over the same turns. Each half is
// a memory of its own. It decides nothing; README.md says what the held-out half is for.
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BASELINES, openBaseline } from "./baseline.mjs";
import { readQuestions, readTurns, turnKey } from "./dataset.mjs";
import { openMemory } from "./memory-under-test.mjs";
import { figuresOf, meanFigures, pairedBootstrap } from "./metrics.mjs";
import { Refusal, readOptions } from "./options.mjs";
import { differenceLines, groupLines, overallLines } from "./table.mjs";
import { searchVariants } from "./variants.mjs";

const LIMIT = 20;
const SEED = 20_260_301;
const COMPARED = ["recall@1", "recall@5", "recall@10", "recall@20", "MRR"];

/** Turns, and the questions of the kinds asked for. */
function load({ name, data, questions: file }, kinds) {
  const turns = readTurns(data);
  const questions = readQuestions(file, turns).filter(
    ({ kind }) => kinds === undefined || kinds.includes(kind),
  );
  if (questions.length === 0) throw new Refusal(`${name} has no question of the kind`);
  return { name, turns, questions };
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

/** Means in all and by group, a group being a kind or a language. */
function summary({ name, answers, msEach }, by) {
  const groups = new Map();
  for (const answer of answers) {
    const group = answer[by] ?? "unknown";
    groups.set(group, [...(groups.get(group) ?? []), answer.figures]);
  }
  return {
    name,
    msEach,
    all: meanFigures(answers.map(({ figures }) => figures)),
    groups: Object.fromEntries(
      [...groups]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([group, each]) => [group, { count: each.length, figures: meanFigures(each) }]),
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

async function measure({ turns, questions }, home, variants) {
  const memory = await openMemory(home, turns);
  try {
    const searches = [];
    for (const { name, input } of variants) {
      searches.push(await ask(name, questions, (text) => memory.search(text, input, LIMIT)));
    }
    const baselines = [];
    for (const [name, form] of Object.entries(BASELINES)) {
      const search = openBaseline(turns, form);
      baselines.push(await ask(name, questions, async (text) => search(text, LIMIT)));
    }
    return { searches, baselines };
  } finally {
    await memory.close();
  }
}

function print({ name, turns }, { searches, baselines }, by) {
  const [shipped, ...others] = searches;
  const systems = [...searches, ...baselines].map((each) => summary(each, by));
  const differences = [
    ...compare(shipped, baselines[0]),
    ...others.flatMap((variant) =>
      compare(shipped, variant).filter(({ figure }) => figure === "recall@10" || figure === "MRR"),
    ),
  ];
  const blocks = [
    overallLines(systems),
    groupLines(by, systems[0], summary(baselines[0], by)),
    differenceLines(differences),
  ];
  console.log(
    `\n${name}: ${turns.length.toLocaleString("en")} turns, ` +
      `${shipped.answers.length} questions, ${systems[0].msEach.toFixed(1)} ms a search`,
  );
  console.log(blocks.map((lines) => lines.map((line) => `  ${line}`).join("\n")).join("\n\n"));
}

function printMisses({ turns }, { answers }) {
  const texts = new Map(turns.map((turn) => [turnKey(turn), turn.text]));
  for (const { id, kind, question, evidence, ranked, figures } of answers) {
    if (figures["recall@10"] === 1) continue;
    console.log(`\n${id} (${kind}) ${question}`);
    for (const key of evidence.map(turnKey)) {
      const place = ranked.indexOf(key);
      console.log(`  ${place === -1 ? "missed" : `at ${place + 1}`}  ${key}  ${texts.get(key)}`);
    }
    console.log(`  first   ${ranked[0] ?? "nothing"}  ${texts.get(ranked[0]) ?? ""}`);
  }
}

function documentOf({ name, turns }, { searches, baselines }, by) {
  const [shipped, ...others] = searches;
  return {
    name,
    turns: turns.length,
    questions: shipped.answers.length,
    systems: [...searches, ...baselines].map((each) => summary(each, by)),
    differences: [...baselines, ...others].flatMap((other) => compare(shipped, other)),
  };
}

async function run({ sources, kinds, by, ablate, showMisses, json }, dir) {
  const sets = sources.map((source) => load(source, kinds));
  mkdirSync(join(dir, "source"));
  const variants = await searchVariants(join(dir, "source"), { ablate });
  const documents = [];
  for (const [index, set] of sets.entries()) {
    const result = await measure(set, join(dir, `home-${index}`), variants);
    if (json) documents.push(documentOf(set, result, by));
    else print(set, result, by);
    if (showMisses && !json) printMisses(set, result.searches[0]);
  }
  if (json) console.log(JSON.stringify(documents, null, 2));
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  const dir = mkdtempSync(join(realpathSync(tmpdir()), "memspool-recall-"));
  const removeDir = () => rmSync(dir, { recursive: true, force: true });
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      removeDir();
      process.exit(1);
    });
  }
  try {
    await run(options, dir);
  } finally {
    removeDir();
  }
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = error.exitCode ?? 1;
}
