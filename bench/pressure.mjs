// `npm run bench:pressure [-- --quick]`
// How long a client waits for the answer to a capture under pressure: a built server over stdio in each
// state, beside the bare system calls of a durable write, in rounds that take turns.
//   normal     nothing presses
//   governed   memory presses: the ingester at the floor of its pace, the captures of normal priority
//   soft       use above the soft limit, nothing to trim: each capture is delayed by spool.delayMs
//   hard, low  the refusal of a capture of low priority
//   hard       the refusal of one that has waited in the line for spool.waitMs
import { randomBytes } from "node:crypto";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { BareAppender } from "./bare-calls.mjs";
import { sampleText } from "./sample-text.mjs";
import { interleave, median, quantile, ratioOfRounds } from "./statistics.mjs";
import { describeMachine, openWorkspace } from "./workspace.mjs";

const quick = process.argv.includes("--quick");
const ROUNDS = quick ? 5 : 20;
const PER_ROUND = quick ? 20 : 50;
/** Those that wait long by design are fewer. */
const SLOW_PER_ROUND = quick ? 2 : 5;
const ENVELOPE_BYTES = 1_300;
/** In the archive of the current hour, which is not trimmed: 93 % of 10 MiB, 103 % of 9. */
const ARCHIVE_BYTES = 9_750_000;
const SOFT = { MEMSPOOL_QUOTA_MB: "10" };
const HARD = { MEMSPOOL_QUOTA_MB: "9" };
const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));

const workspace = openWorkspace();
const clients = [];
let seed = 0;

async function start(home, env = {}) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [main, "serve"],
    env: {
      PATH: process.env.PATH ?? "",
      MEMSPOOL_HOME: home,
      MEMSPOOL_LOG_LEVEL: "silent",
      ...env,
    },
    stderr: "inherit",
  });
  const client = new Client({ name: "bench", version: "0.0.0" });
  await client.connect(transport);
  clients.push(client);
  return async (name, args = {}) => {
    const answer = await client.callTool({ name, arguments: args });
    return { failed: answer.isError === true, ...answer.structuredContent };
  };
}

async function until(isSo) {
  while (!(await isSo())) await pause(50);
}

/** Signs, which no index has work with, and which do not become small. */
const SIGNS = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~";
const filling = () =>
  Array.from(randomBytes(65_536), (byte) => SIGNS[byte % SIGNS.length]).join("");

async function fillArchive(home) {
  const call = await start(home);
  const used = async () => (await call("queue_status")).spool_bytes;
  for (let done = 0; done < ARCHIVE_BYTES; ) {
    const left = Math.max(1, Math.min(8, Math.floor((ARCHIVE_BYTES - done) / 50_000)));
    await Promise.all(
      Array.from({ length: left }, () => call("memory_capture", { surface: filling() })),
    );
    await until(async () => {
      const bytes = await used();
      done = bytes.done;
      return bytes.pending === 0;
    });
  }
  await clients.pop().close();
}

/** @param failed what the answers have to be */
function timed(call, { failed, perRound = PER_ROUND, ...extra }) {
  return async () => {
    const samples = [];
    for (let n = 0; n < perRound; n++) {
      const args = { surface: sampleText(seed++), ...extra };
      const startedMs = performance.now();
      const answer = await call("memory_capture", args);
      samples.push(performance.now() - startedMs);
      if (answer.failed !== failed) throw new Error(`unexpected answer ${JSON.stringify(answer)}`);
    }
    return samples;
  };
}

async function timedBare(bare) {
  const samples = [];
  const bytes = Buffer.alloc(ENVELOPE_BYTES, 120);
  for (let n = 0; n < PER_ROUND; n++) {
    const startedMs = performance.now();
    await bare.append(bytes);
    samples.push(performance.now() - startedMs);
  }
  return samples;
}

async function inState(call, state) {
  await until(async () => (await call("queue_status")).spool.state === state);
}

async function measure(dir) {
  const [softHome, hardHome] = [join(dir, "soft"), join(dir, "hard")];
  await fillArchive(softHome);
  cpSync(softHome, hardHome, { recursive: true });

  const normal = await start(join(dir, "normal"));
  await normal("memory_capture", { surface: "first" });
  const { pressure } = await normal("queue_status");
  const governed = await start(join(dir, "governed"), {
    MEMORY_LIMIT_BYTES: String(Math.round(pressure.memory.rss_bytes / 0.78)),
    MEMSPOOL_GOVERNOR_COOL_DOWN_MS: "100",
  });
  const soft = await start(softHome, SOFT);
  const hard = await start(hardHome, HARD);
  await until(async () => (await governed("queue_status")).pressure.governor.share_pct === 20);
  await Promise.all([inState(soft, "soft"), inState(hard, "hard")]);
  const bare = new BareAppender(join(dir, "bare"));
  const slow = { perRound: SLOW_PER_ROUND };
  const results = await interleave(
    {
      bare: () => timedBare(bare),
      normal: timed(normal, { failed: false }),
      governed: timed(governed, { failed: false }),
      soft: timed(soft, { failed: false, ...slow }),
      "hard, low": timed(hard, { failed: true, priority: "low" }),
      hard: timed(hard, { failed: true, ...(quick ? slow : { perRound: 1 }) }),
    },
    ROUNDS,
  );
  await bare.close();
  return results;
}

function print(results) {
  const round = (ms) => (ms < 100 ? ms.toFixed(2) : String(Math.round(ms)));
  console.log("| state | answers | p50 ms | p99 ms | beside the bare calls (middle half) |");
  console.log("|---|---:|---:|---:|---|");
  for (const [name, rounds] of Object.entries(results)) {
    const all = rounds.flat();
    const ratio = ratioOfRounds(rounds, results.bare);
    const [mid, low, high] = [ratio.median, ratio.p25, ratio.p75].map((each) => each.toFixed(2));
    const beside = name === "bare" ? "" : `${mid} × (${low} – ${high})`;
    const figures = [all.length, round(median(all)), round(quantile(all, 0.99))];
    console.log(`| ${name} | ${figures.join(" | ")} | ${beside} |`);
  }
}

try {
  console.log(workspace.description, JSON.stringify(describeMachine()));
  print(await measure(workspace.dir));
} finally {
  await Promise.all(clients.map((client) => client.close()));
  workspace.close();
}
