// Plays what happens to a spool that fills, with a built server, a real client and a real store, and
// prints the event log and a table of what became of the captures. Ends by itself and leaves nothing.
//   --short  a smaller quota and shorter waits, for the tests
// It measures no speed: the numbers are of the machine, what happens is of the program.
// Exit code 1 if a state was not met, or a capture that was acknowledged is not in the store.
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { DatabaseSync } from "@photostructure/sqlite";

const short = process.argv.includes("--short");
const QUOTA_MIB = short ? 1 : 2;
const WAIT_MS = short ? 500 : 2_000;
const STORE_AWAY_MS = 5_000;
/** A step that takes longer than this does not come any more. */
const STEP_MS_MAX = 20_000;
/** Random, so that the archive can not make it much smaller, and no words, which would be indexed. */
const SIGNS = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~";
/** Five points below the limit, and a little above that. */
const HARD_IS_LEFT_BYTES = QUOTA_MIB * 1_048_576 * 0.955;
const TEXT_LENGTH = short ? 8_192 : 16_384;
const text = () =>
  Array.from(randomBytes(TEXT_LENGTH), (byte) => SIGNS[byte % SIGNS.length]).join("");
/** An acknowledgement that took longer was held up. */
const HELD_UP_MS = 250;
const LANES = 4;
/** Slow enough that what is pending, which is larger than its copy in the archive, is seen to go. */
const FILL_PAUSE_MS = short ? 5 : 30;

const SHOWN =
  /^(?:backpressure|archive|trim|store|ingest|pressure|memory|governor|alert|sensor|stalls|leader)_/;
const LEFT_OUT = new Set(["time", "level", "pid", "hostname", "event", "msg"]);

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "memspool-lifecycle-"));
const doneDir = join(home, "queue", "done");
const startedAtMs = Date.now();
const phases = [];
const acknowledged = [];
const problems = [];
let shownLines = 0;

const transport = new StdioClientTransport({
  command: process.execPath,
  args: [main, "serve"],
  env: {
    PATH: process.env.PATH ?? "",
    MEMSPOOL_HOME: home,
    MEMSPOOL_QUOTA_MB: String(QUOTA_MIB),
    MEMSPOOL_SPOOL_WAIT_MS: String(WAIT_MS),
    // The disk of whoever runs this is not what is shown.
    MEMSPOOL_SPOOL_FREE_MB_MIN: "0",
    MEMSPOOL_LOG_FILE: "events.log",
    MEMSPOOL_LOG_LEVEL: "info",
  },
  stderr: "inherit",
});
const client = new Client({ name: "pressure-lifecycle", version: "0.0.0" });

async function call(name, args = {}) {
  const answer = await client.callTool({ name, arguments: args });
  return { failed: answer.isError === true, ...answer.structuredContent };
}

const status = () => call("queue_status");

function line(atMs, what) {
  const seconds = ((atMs - startedAtMs) / 1_000).toFixed(2).padStart(6);
  process.stdout.write(`${seconds}  ${what}\n`);
}

function logLines() {
  return readFileSync(join(home, "events.log"), "utf8").split("\n").slice(0, -1);
}

/** What the server has logged since the last time. */
function showEvents() {
  const logged = logLines();
  for (const each of logged.slice(shownLines)) {
    const event = JSON.parse(each);
    if (!SHOWN.test(event.event)) continue;
    const fields = Object.entries(event)
      .filter(([name]) => !LEFT_OUT.has(name))
      .map(
        ([name, value]) => `${name}=${typeof value === "string" ? JSON.stringify(value) : value}`,
      );
    line(Date.parse(event.time), `  ${event.event.padEnd(22)} ${fields.join(" ")}`);
  }
  shownLines = logged.length;
}

/** Runs a step of the story and notes what became of its captures. */
async function phase(name, play) {
  const counts = { name, sent: 0, acknowledged: 0, heldUp: 0, refused: 0, slowestMs: 0 };
  const capture = async (extra = {}) => {
    counts.sent++;
    const calledAt = performance.now();
    const { ulid, failed } = await call("memory_capture", { surface: text(), ...extra });
    const ms = performance.now() - calledAt;
    if (failed) counts.refused++;
    else {
      counts.acknowledged++;
      acknowledged.push(ulid);
      if (ms > HELD_UP_MS) counts.heldUp++;
    }
    counts.slowestMs = Math.max(counts.slowestMs, ms);
  };
  line(Date.now(), name);
  const beganAt = performance.now();
  await play(capture);
  counts.seconds = (performance.now() - beganAt) / 1_000;
  await pause(50); // the log's last lines of this step
  showEvents();
  counts.after = (await status()).spool.state;
  phases.push(counts);
}

/** Captures, some at a time, until `isOver` says so. */
async function captureUntil(capture, isOver, count = LANES, pauseMs = 0) {
  const untilMs = performance.now() + STEP_MS_MAX;
  let over = false;
  const lane = async () => {
    while (!over) {
      await capture();
      await pause(pauseMs);
    }
  };
  const lanes = Array.from({ length: count }, lane);
  while (!over) {
    over = await isOver();
    if (performance.now() > untilMs) {
      problems.push("a step took too long");
      over = true;
    }
    await pause(25);
  }
  await Promise.all(lanes);
}

const inState = (state) => async () => (await status()).spool.state === state;

/** Hard that lasts: by the archive alone, above where hard is left, and nothing pending in it any more. */
async function isHardForGood() {
  const { spool, spool_bytes, queue } = await status();
  return spool.state === "hard" && queue.depth === 0 && spool_bytes.done > HARD_IS_LEFT_BYTES;
}

async function isDrained() {
  const { queue } = await status();
  return queue.depth + queue.spilled === 0;
}

async function until(isOver) {
  const untilMs = performance.now() + STEP_MS_MAX;
  while (!(await isOver())) {
    if (performance.now() > untilMs) return problems.push("a step took too long");
    await pause(25);
  }
}

/** Gives the archive's files names of an earlier hour, as they would have by then. */
function letAnHourPass() {
  const earlier = new Date(Date.now() - 7_200_000).toISOString();
  const hour = `${earlier.slice(0, 10).replaceAll("-", "")}-${earlier.slice(11, 13)}`;
  for (const name of readdirSync(doneDir)) {
    renameSync(join(doneDir, name), join(doneDir, name.replace(/^\d{8}-\d{2}/, hour)));
  }
}

function table() {
  const head = ["step", "s", "sent", "acknowledged", "held up", "refused", "slowest ms", "then"];
  const rows = phases.map((each) => [
    ...[each.name, each.seconds.toFixed(1), each.sent, each.acknowledged, each.heldUp],
    ...[each.refused, Math.round(each.slowestMs), each.after],
  ]);
  const cells = [head, head.map((_, n) => (n === 0 || n === 7 ? "---" : "---:")), ...rows];
  return cells.map((row) => `| ${row.join(" | ")} |\n`).join("");
}

try {
  await client.connect(transport);
  const began = new Date(startedAtMs).toISOString();
  const { version } = client.getServerVersion() ?? {};
  process.stdout.write(`${began}, memspool ${version}, Node ${process.version}\n`);
  process.stdout.write(`quota ${QUOTA_MIB} MiB, texts of ${TEXT_LENGTH / 1_024} KiB\n\n`);

  await phase("captures fill the archive", (capture) =>
    captureUntil(capture, inState("soft"), 1, FILL_PAUSE_MS),
  );
  await phase("soft: nothing can be trimmed", (capture) => captureUntil(capture, isHardForGood));
  await phase("hard: low priority, then normal", async (capture) => {
    await Promise.all([1, 2, 3, 4].map(() => capture({ priority: "low" })));
    await Promise.all([1, 2, 3, 4].map(() => capture()));
  });
  await phase("an hour passes: it is trimmed", async (capture) => {
    const waiting = capture();
    await pause(WAIT_MS / 4);
    letAnHourPass();
    await waiting;
    const isTrimmed = () => logLines().some((each) => each.includes('"archive_trimmed"'));
    await captureUntil(capture, async () => isTrimmed() && (await inState("normal")()));
  });
  await phase("the store is away", async (capture) => {
    const db = new DatabaseSync(join(home, "store", "memspool.db"), { timeout: 10_000 });
    db.exec("BEGIN EXCLUSIVE");
    const untilMs = performance.now() + STORE_AWAY_MS;
    for (let n = 0; performance.now() < untilMs; n++) {
      if (n < 12) await capture();
      await pause(100);
    }
    db.exec("ROLLBACK");
    db.close();
  });
  await phase("all is drained", () => until(isDrained));

  const states = await Promise.all(acknowledged.map((ulid) => call("memory_receipt", { ulid })));
  const stored = states.filter(({ state }) => state === "ingested").length;
  process.stdout.write(`\n${table()}\n`);
  process.stdout.write(`${acknowledged.length} acknowledged, ${stored} of them in the store\n`);
  if (stored !== acknowledged.length) problems.push("acknowledged captures are not in the store");
} finally {
  await client.close();
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
}
for (const problem of problems) process.stderr.write(`pressure lifecycle: ${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
