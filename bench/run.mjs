// `npm run bench [-- --quick] [-- --json] [-- --only=append,drain,…]`
// Measures memspool beside what it is built on, in one run and in rounds that take turns, and prints
// medians, the middle half of the samples, and ratios. Absolute figures belong to this machine;
// ratios travel. Nothing here decides whether a change is good: it prints targets and met or MISSED.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const THREADS = "16"; // as dist/main.js sets it
if (process.env.UV_THREADPOOL_SIZE !== THREADS) {
  // The pool's size is fixed at the first use of it, which importing this file already was.
  const { status } = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), ...process.argv.slice(2)],
    { stdio: "inherit", env: { ...process.env, UV_THREADPOOL_SIZE: THREADS } },
  );
  process.exit(status ?? 1);
}

const { benchAppendLatency, benchBacklog, benchSpill, benchThroughput } = await import(
  "./append-bench.mjs"
);
const { benchColdStart } = await import("./cold-start.mjs");
const { benchDrain } = await import("./drain-bench.mjs");
const { benchHookStart } = await import("./hook-start.mjs");
const { sampleText } = await import("./sample-text.mjs");
const report = await import("./report.mjs");
const { describeMachine, openWorkspace } = await import("./workspace.mjs");
const { CaptureQueue, generateUlid } = await import("../dist/index.mjs");

const options = process.argv.slice(2);
const json = options.includes("--json");
const quick = options.includes("--quick");
const only = options
  .find((option) => option.startsWith("--only="))
  ?.slice("--only=".length)
  .split(",");
const unknown = options.filter((option) => !/^--(?:json|quick|only=.+)$/.test(option));
if (unknown.length > 0) {
  console.error(`unknown option ${unknown.join(" ")}; there are --quick, --json and --only=NAMES`);
  process.exit(2);
}

const workspace = openWorkspace();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    workspace.close();
    process.exit(1);
  });
}

const { dir } = workspace;
const parts = {
  append: {
    title: "A capture until its receipt (two fsyncs: the file, its directory)",
    run: () =>
      benchAppendLatency({ CaptureQueue, dir, rounds: quick ? 6 : 20, perRound: quick ? 50 : 100 }),
    rows: report.latencyRows,
  },
  throughput: {
    title: "Captures a second",
    run: async () => {
      const results = [];
      for (const [inFlight, perRound] of [
        [1, quick ? 200 : 500],
        [32, quick ? 1_000 : 3_000],
        [64, quick ? 1_000 : 3_000],
      ]) {
        const rounds = quick ? 3 : 7;
        results.push(await benchThroughput({ CaptureQueue, dir, rounds, inFlight, perRound }));
      }
      return results;
    },
    rows: report.throughputRows,
  },
  backlog: {
    title: "A capture beside a long queue",
    run: () =>
      benchBacklog({
        ...{ CaptureQueue, generateUlid, dir },
        ...{ rounds: quick ? 6 : 20, perRound: quick ? 50 : 100, pending: quick ? 10_000 : 50_000 },
      }),
    rows: report.backlogRows,
  },
  spill: {
    title: "Captures into a full queue, which spills its oldest",
    run: () =>
      benchSpill({
        ...{ CaptureQueue, dir, inFlight: 32, maxRecords: 10_000 },
        ...{ rounds: quick ? 3 : 7, perRound: quick ? 500 : 2_000 },
      }),
    rows: report.spillRows,
  },
  drain: {
    title: "Draining into the store",
    run: () => benchDrain({ dir, rounds: quick ? 2 : 5, records: quick ? 4_000 : 20_000 }),
    rows: report.drainRows,
  },
  start: {
    title: "Cold start",
    run: () => benchColdStart({ dir, rounds: quick ? 5 : 15 }),
    rows: report.coldStartRows,
  },
  hook: {
    title: "A client's hook, from start to end",
    run: () => benchHookStart({ dir, rounds: quick ? 7 : 25, text: sampleText(1_000) }),
    rows: report.hookStartRows,
  },
};

try {
  const machine = { fileSystem: workspace.description, ...describeMachine() };
  if (!json) for (const [name, value] of Object.entries(machine)) console.log(`${name}: ${value}`);
  const results = {};
  for (const [name, part] of Object.entries(parts)) {
    if (only && !only.includes(name)) continue;
    results[name] = await part.run();
    if (!json) report.printSection(part.title, part.rows(results[name]));
  }
  if (json) console.log(JSON.stringify({ at: new Date().toISOString(), quick, machine, results }));
} finally {
  workspace.close();
}
