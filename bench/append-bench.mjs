// How long one capture takes until its receipt, how many there are a second, and whether a long
// queue makes them slower: beside the bare system calls, in the same rounds.
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BareAppender } from "./bare-calls.mjs";
import { sampleText } from "./sample-text.mjs";
import { SqliteAppender } from "./sqlite-insert.mjs";
import { interleave, ratioOfRounds, summarise } from "./statistics.mjs";

const TEXT_CHARS = 1_000;

function recordOf(seed) {
  return { surface: sampleText(seed, TEXT_CHARS), session_id: "bench", role: "user" };
}

/** Removes what a round left, outside the timed part, so that every round finds the same. */
function clear(dir, prefix) {
  for (const name of readdirSync(dir)) {
    if (name.startsWith(prefix)) rmSync(join(dir, name));
  }
}

/** Calls one after another; returns each call's milliseconds. */
async function timeEach(count, call) {
  const samples = [];
  for (let index = 0; index < count; index++) {
    const startedMs = performance.now();
    await call(index);
    samples.push(performance.now() - startedMs);
  }
  return samples;
}

/** Keeps `inFlight` calls going until `count` are done; returns calls a second. */
async function rateOf(count, inFlight, call) {
  let next = 0;
  const startedMs = performance.now();
  const lane = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return (count * 1_000) / (performance.now() - startedMs);
}

/** Bytes as large as the envelope of a record of ours, so that both sides write as much. */
async function envelopeBytes(queue, record) {
  const { ulid } = await queue.append(record);
  const [{ path }] = await queue.listPending();
  const { readFileSync } = await import("node:fs");
  const bytes = readFileSync(path);
  rmSync(path);
  if (!path.includes(ulid)) throw new Error("the queue was not empty");
  return bytes;
}

export async function benchAppendLatency({ CaptureQueue, dir, rounds, perRound }) {
  const queueDir = join(dir, "latency-queue");
  const queue = new CaptureQueue({ queueDir });
  const bareDir = join(dir, "latency-bare");
  const bare = new BareAppender(bareDir);
  const sqlite = new SqliteAppender(join(dir, "latency.db"));
  const records = Array.from({ length: perRound }, (_, index) => recordOf(index));
  const bytes = await envelopeBytes(queue, records[0]);
  const text = bytes.toString("utf8");
  const contenders = {
    memspool: async () => {
      const samples = await timeEach(perRound, (index) => queue.append(records[index]));
      clear(queueDir, "pending-");
      return samples;
    },
    bare: async () => {
      const samples = await timeEach(perRound, () => bare.append(bytes));
      clear(bareDir, "bare-");
      return samples;
    },
    sqlite: () => timeEach(perRound, () => sqlite.append(text)),
  };
  await interleave(contenders, 2); // the first rounds compile code and grow files
  const series = await interleave(contenders, rounds);
  await Promise.all([queue.close(), bare.close()]);
  sqlite.close();
  return {
    envelopeBytes: bytes.length,
    ms: Object.fromEntries(
      Object.entries(series).map(([name, samples]) => [name, summarise(samples.flat())]),
    ),
    toBare: ratioOfRounds(series.memspool, series.bare),
    toSqlite: ratioOfRounds(series.memspool, series.sqlite),
  };
}

export async function benchThroughput({ CaptureQueue, dir, rounds, inFlight, perRound }) {
  const queueDir = join(dir, `rate-queue-${inFlight}`);
  const queue = new CaptureQueue({ queueDir });
  const bareDir = join(dir, `rate-bare-${inFlight}`);
  const bare = new BareAppender(bareDir);
  const records = Array.from({ length: 64 }, (_, index) => recordOf(index));
  const bytes = await envelopeBytes(queue, records[0]);
  const contenders = {
    memspool: async () => {
      const rate = await rateOf(perRound, inFlight, (index) => queue.append(records[index % 64]));
      clear(queueDir, "pending-");
      return [rate];
    },
    bare: async () => {
      const rate = await rateOf(perRound, inFlight, () => bare.append(bytes));
      clear(bareDir, "bare-");
      return [rate];
    },
  };
  await interleave(contenders, 1);
  const series = await interleave(contenders, rounds);
  await Promise.all([queue.close(), bare.close()]);
  return {
    inFlight,
    perSecond: Object.fromEntries(
      Object.entries(series).map(([name, samples]) => [name, summarise(samples.flat())]),
    ),
    toBare: ratioOfRounds(series.memspool, series.bare),
  };
}

export async function benchBacklog({ CaptureQueue, generateUlid, dir, rounds, perRound, pending }) {
  const emptyDir = join(dir, "backlog-empty");
  const fullDir = join(dir, "backlog-full");
  const maxSize = 10 * pending;
  const empty = new CaptureQueue({ queueDir: emptyDir, maxSize });
  const full = new CaptureQueue({ queueDir: fullDir, maxSize });
  const records = Array.from({ length: perRound }, (_, index) => recordOf(index));
  const bytes = await envelopeBytes(empty, records[0]);
  await envelopeBytes(full, records[0]);
  // Only their names and number matter here: an append reads none of them.
  for (let index = 0; index < pending; index++) {
    writeFileSync(join(fullDir, `pending-${generateUlid()}.json`), bytes);
  }
  const appendTo = (queue) => async () => {
    const paths = [];
    const samples = await timeEach(perRound, async (index) => {
      paths.push((await queue.append(records[index])).ulid);
    });
    for (const ulid of paths) rmSync(join(queue.layout.dir, `pending-${ulid}.json`));
    return samples;
  };
  const contenders = { empty: appendTo(empty), full: appendTo(full) };
  await interleave(contenders, 2);
  const series = await interleave(contenders, rounds);
  const counted = await full.pendingCount();
  if (counted !== pending) throw new Error(`${counted} pending instead of ${pending}`);
  await Promise.all([empty.close(), full.close()]);
  return {
    pending,
    ms: { empty: summarise(series.empty.flat()), full: summarise(series.full.flat()) },
    ratio: ratioOfRounds(series.full, series.empty),
  };
}

/** What it costs that the queue is full and spills its oldest, beside one that has room. */
export async function benchSpill({ CaptureQueue, dir, rounds, inFlight, perRound, maxRecords }) {
  const records = Array.from({ length: 64 }, (_, index) => recordOf(index));
  const open = (name, maxSize) => new CaptureQueue({ queueDir: join(dir, name), maxSize });
  const roomy = open("spill-roomy", 100 * maxRecords);
  const full = open("spill-full", maxRecords);
  const append = (queue) => async () => [
    await rateOf(perRound, inFlight, (index) => queue.append(records[index % 64])),
  ];
  await rateOf(maxRecords, inFlight, (index) => full.append(records[index % 64]));
  await rateOf(maxRecords, inFlight, (index) => roomy.append(records[index % 64]));
  const contenders = { roomy: append(roomy), full: append(full) };
  await interleave(contenders, 1);
  const series = await interleave(contenders, rounds);
  const pending = await full.pendingCount();
  if (pending > maxRecords) throw new Error(`${pending} pending, the limit is ${maxRecords}`);
  await Promise.all([roomy.close(), full.close()]);
  return {
    inFlight,
    maxRecords,
    perSecond: Object.fromEntries(
      Object.entries(series).map(([name, samples]) => [name, summarise(samples.flat())]),
    ),
    ratio: ratioOfRounds(series.full, series.roomy),
  };
}
