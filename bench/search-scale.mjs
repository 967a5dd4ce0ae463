// `npm run bench:search [-- --records=1000000] [-- --chars=300]`
// Questions of several kinds to a store of that many records, through the same search that the MCP
// tool calls, each beside plain FTS5 over the very same index; and captures while questions run.
// Prints medians and the 95th percentile in milliseconds. Not part of `npm run bench`: filling takes
// about a minute a million records.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { loadSource } from "./load-source.mjs";
import { builtChunk } from "./recall/memory-under-test.mjs";
import { sampleText } from "./sample-text.mjs";
import { quantile } from "./statistics.mjs";
import { describeMachine, openWorkspace } from "./workspace.mjs";

const option = (name, value) =>
  Number(process.argv.find((each) => each.startsWith(`--${name}=`))?.split("=")[1] ?? value);
const RECORDS = option("records", 1_000_000);
const CHARS = option("chars", 300);
const BATCH = 500;
const TURNS_OF_SESSION = 20;
const ROUNDS = 40;

const workspace = openWorkspace();
try {
  console.log(workspace.description, JSON.stringify(describeMachine()));
  await measure(workspace.dir);
} finally {
  workspace.close();
}

async function measure(dir) {
  const home = join(dir, "home");
  mkdirSync(join(home, "store"), { recursive: true, mode: 0o700 });
  const file = join(home, "store", "memspool.db");
  const source = await loadSource(dir, {
    "src/store/open-store.ts": ["openStore"],
    "src/record/content-hash.ts": ["textSha256"],
    "src/record/record-id.ts": ["generateUlid"],
  });
  await fill(source, file);
  const { createApp } = await builtChunk("app");
  const { loadConfig } = await builtChunk("load-config");
  const { config } = await loadConfig({ env: { HOME: home }, flags: { home } });
  const app = await createApp(config);
  const store = await source.openStore({ file, readOnly: true });
  const kinds = await questions(store);
  await app.memory.search({ query: "warm up the reader" });
  for (const [kind, list] of Object.entries(kinds)) {
    const samples = [];
    const found = [];
    for (let round = 0; round < ROUNDS; round++) {
      const query = list[round % list.length];
      const startedMs = performance.now();
      const { results } = await app.memory.search({ query });
      samples.push(performance.now() - startedMs);
      found.push(results.length);
    }
    row(kind, samples, `${found.reduce((a, b) => a + b, 0) / found.length} hits, e.g. ${list[0]}`);
  }
  row("capture alone", await captures(app, false, kinds));
  row("capture while questions run", await captures(app, true, kinds));
  await store.close();
  await app.close();
}

async function fill({ openStore, textSha256, generateUlid }, file) {
  const store = await openStore({ file });
  const startedMs = performance.now();
  for (let from = 0; from < RECORDS; from += BATCH) {
    const items = Array.from({ length: Math.min(BATCH, RECORDS - from) }, (_, n) => {
      const surface = sampleText(from + n, CHARS);
      const session = Math.floor((from + n) / TURNS_OF_SESSION);
      const record = { surface, session_id: `s${session}`, source: n % 2 ? "Mara" : "Jonas" };
      return {
        ...{ ulid: generateUlid(), appendedAt: new Date(1.7e12 + from + n).toISOString() },
        ...{ sha256: textSha256(surface), record, recordJson: JSON.stringify(record) },
      };
    });
    await store.commitBatch(items);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const { bytes } = await store.stats();
  await store.close();
  console.log(
    `filled ${RECORDS} records of ${CHARS} characters in ${seconds.toFixed(0)} s ` +
      `(${Math.round(RECORDS / seconds)} a second), ${Math.round(bytes / 1_048_576)} MiB`,
  );
}

/** Words by how many records hold them, and questions made of them. */
async function questions(store) {
  const words = [...new Set(sampleText(1, 200_000).split(" "))].filter((word) => word.length > 3);
  const counted = [];
  for (let at = 0; at < words.length; at += 60) {
    const terms = words.slice(at, at + 60);
    const { documentFrequency } = await store.candidates({ terms, filter: {}, countMax: 1 });
    counted.push(...Object.entries(documentFrequency).filter(([, count]) => count > 0));
  }
  counted.sort(([, a], [, b]) => b - a);
  const share = (from, to) =>
    counted.filter(([, n]) => n >= from * RECORDS && n < to * RECORDS).map(([term]) => term);
  const [common, middle, rare] = [share(0.1, 1), share(0.002, 0.01), share(0, 0.0005)];
  const join = (...lists) =>
    Array.from({ length: 20 }, (_, n) =>
      lists.map((list, at) => list[(n * 7 + at * 3) % list.length]).join(" "),
    );
  return {
    "rare word": join(rare),
    "mid-frequency word": join(middle),
    "common word": join(common),
    "four words": join(middle, common, rare, middle),
    "seven common words": join(common, common, common, common, common, common, common),
    "a question with a name and a date": join(middle, common).map(
      (two) => `What did Mara say about the ${two} on 7 May 2023?`,
    ),
    "a misspelt word": join(rare).map((word) => `${word.slice(0, 2)}x${word.slice(2)}`),
  };
}

async function captures(app, beside, kinds) {
  const queries = Object.values(kinds).flat();
  let running = beside;
  const asking = (async () => {
    for (let n = 0; running; n++) await app.memory.search({ query: queries[n % queries.length] });
  })();
  const samples = [];
  for (let n = 0; n < 300; n++) {
    const startedMs = performance.now();
    await app.memory.capture({ surface: sampleText(9_000_000 + n, CHARS) });
    samples.push(performance.now() - startedMs);
  }
  running = false;
  await asking;
  return samples;
}

function row(name, samples, more = "") {
  const [p50, p95, max] = [0.5, 0.95, 1].map((p) => quantile(samples, p).toFixed(1));
  console.log(`${name.padEnd(36)} p50 ${p50} ms, p95 ${p95} ms, max ${max} ms  ${more}`);
}
