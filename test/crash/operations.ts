/**
 * The operations that the rigs interrupt, one entry each: what lies there before, and what is done.
 *
 * Guarantees: `run` goes through the seams for everything it does, notes every outcome in the
 * truth, lets go of what it opened, and never rejects for what the disk does.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { Ingester } from "../../src/ingest/ingester.ts";
import { CaptureQueue, type CaptureQueueOptions } from "../../src/queue/capture-queue.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { recover } from "../../src/queue/recover.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import { type CrashWorld, plainSeams, type Seams, ShiftedClock, storeOf } from "./crash-world.ts";

export interface Operation {
  readonly name: string;
  /** Made without faults. */
  prepare(world: CrashWorld): Promise<void>;
  run(world: CrashWorld, seams: Seams): Promise<void>;
  /** Records leave the queue only for an archive that a rebuild can read. */
  readonly archives?: true;
}

const BATCH_RECORDS = 2;
let textNumber = 0;

/** Different each time, and found by a look through raw bytes. */
function newText(): string {
  textNumber++;
  return `text ${textNumber} — ${"é".repeat(textNumber % 7)} of the rigs`;
}

/** What a queue is made with beside its seams. */
export type QueueShape = Pick<CaptureQueueOptions, "maxSize" | "overflow">;

export function queueOf(world: CrashWorld, seams: Seams, shape: QueueShape = {}): CaptureQueue {
  return new CaptureQueue({
    ...shape,
    queueDir: world.layout.dir,
    attemptsMax: 1,
    clock: seams.clock,
    events: seams.events,
    fs: seams.fs,
    fsSync: seams.fsSync,
    markMemory: newMarkMemory(),
  });
}

/** Captures one text and notes what was said of it. */
export async function capture(
  world: CrashWorld,
  queue: CaptureQueue,
  record: MemoryRecord,
  retryUlid?: string,
): Promise<string | undefined> {
  world.truth.submitted.add(record.surface);
  try {
    const { ulid } = await queue.append(record, { retryUlid });
    world.truth.acknowledge(ulid, record.surface);
    return ulid;
  } catch (error) {
    world.truth.captureFailed(record.surface, error);
    return undefined;
  }
}

/** One pass of the server's ingester, recovery included; `dueOrNot` as an operator would. */
export async function drain(world: CrashWorld, seams: Seams): Promise<void> {
  const ingester = new Ingester({
    fs: seams.fsSync,
    layout: world.layout,
    clock: seams.clock,
    events: seams.events,
    attemptsMax: 1,
    batchRecordsMax: BATCH_RECORDS,
    pollMs: 1_000_000,
    random: () => 0,
    openStore: async () => storeOf(seams.commitBatch),
    onReport: () => {},
  });
  try {
    await ingester.drain({ dueOrNot: true });
  } catch (error) {
    world.truth.workFailed(error);
  } finally {
    await ingester.stop();
  }
}

/** Hands each record to the store by itself; refuses the texts that the store would refuse. */
async function ingestByRecord(
  world: CrashWorld,
  seams: Seams,
  refuses: (record: MemoryRecord) => boolean,
): Promise<void> {
  const queue = queueOf(world, seams);
  try {
    await queue.ingestPending(async (record, { ulid, appendedAt }) => {
      if (refuses(record)) {
        throw Object.assign(new Error("ERANGE: not this one"), {
          retryable: false,
          code: "ERANGE",
        });
      }
      const sha256 = textSha256(record.surface);
      const recordJson = JSON.stringify(record);
      await seams.commitBatch([{ ulid, appendedAt, record, recordJson, sha256 }]);
    });
  } catch (error) {
    world.truth.workFailed(error);
  } finally {
    await queue.close();
  }
}

/** @returns ids, oldest first */
async function backlog(world: CrashWorld, records: readonly MemoryRecord[]): Promise<string[]> {
  const queue = queueOf(world, plainSeams(world));
  const ulids: string[] = [];
  for (const record of records) ulids.push((await capture(world, queue, record)) as string);
  await queue.close();
  return ulids;
}

function texts(count: number): MemoryRecord[] {
  return Array.from({ length: count }, () => ({ surface: newText() }));
}

/** Changes a pending file behind the queue's back: from now on its bytes are what must be kept. */
function damage(world: CrashWorld, ulid: string): void {
  const path = pendingPath(world.layout, ulid);
  const bytes = Buffer.from(readFileSync(path, "utf8").replace("text", "tent"));
  writeFileSync(path, bytes);
  world.truth.acknowledged.delete(ulid);
  world.truth.damaged.set(ulid, bytes);
}

const firstCapture: Operation = {
  name: "first capture",
  prepare: async () => {},
  async run(world, seams) {
    const queue = queueOf(world, seams);
    await capture(world, queue, { surface: newText() });
    await queue.close();
  },
};

const laterCapture: Operation = {
  name: "capture",
  prepare: async (world) => void (await backlog(world, texts(1))),
  run: firstCapture.run,
};

const capturesSideBySide: Operation = {
  name: "captures side by side",
  prepare: laterCapture.prepare,
  async run(world, seams) {
    const queue = queueOf(world, seams);
    await Promise.all(texts(3).map((record) => capture(world, queue, record)));
    await queue.close();
  },
};

const repeatedCapture: Operation = {
  name: "capture repeated with its id",
  prepare: laterCapture.prepare,
  async run(world, seams) {
    const queue = queueOf(world, seams);
    const [[ulid, surface]] = [...world.truth.acknowledged] as [[string, string]];
    world.truth.acknowledged.delete(ulid);
    world.truth.unknown.push({ ulid, text: surface });
    await capture(world, queue, { surface }, ulid);
    await queue.close();
  },
};

const byRecord: Operation = {
  name: "ingest by record",
  prepare: async (world) => void (await backlog(world, texts(3))),
  run: (world, seams) => ingestByRecord(world, seams, () => false),
};

const byBatch: Operation = {
  name: "ingest by batch",
  archives: true,
  prepare: async (world) => {
    const [, , third] = await backlog(world, texts(3));
    // One is in the store already: a crash came between its commit and its unlink.
    const { store, truth } = world;
    const surface = truth.acknowledged.get(third as string) as string;
    store.commit([itemOf(third as string, { surface })]);
  },
  run: drain,
};

const quarantineByRecord: Operation = {
  name: "quarantine by record",
  prepare: async (world) => {
    const [, damaged] = await backlog(world, texts(3));
    damage(world, damaged as string);
  },
  run: (world, seams) => {
    const [refused] = [...world.truth.acknowledged.values()];
    return ingestByRecord(world, seams, ({ surface }) => surface === refused);
  },
};

const quarantineByBatch: Operation = {
  name: "quarantine by batch",
  archives: true,
  prepare: async (world) => {
    const key = { project: "rigs", idempotency_key: "the same" };
    const [damaged] = await backlog(world, [
      ...texts(1),
      { surface: newText(), ...key },
      { surface: newText(), ...key },
    ]);
    damage(world, damaged as string);
  },
  run: drain,
};

/** Captures into a full queue, one alone and two side by side. */
function captureWhenFull(name: string, overflow: NonNullable<QueueShape["overflow"]>): Operation {
  return {
    name,
    prepare: async (world) => void (await backlog(world, texts(3))),
    async run(world, seams) {
      const queue = queueOf(world, seams, { maxSize: 3, overflow });
      await capture(world, queue, { surface: newText() });
      await Promise.all(texts(2).map((record) => capture(world, queue, record)));
      await queue.close();
    },
  };
}

const spill = captureWhenFull("spill", "spill");
const drop = captureWhenFull("drop", "drop-oldest");
const refuse = captureWhenFull("refuse when full", "reject");

const recovery: Operation = {
  name: "recovery",
  prepare: async (world) => {
    await quarantineByBatch.prepare(world);
    await interruptedQuarantine(world);
    const { layout } = world;
    const [ulid] = [...world.truth.acknowledged.keys()] as [string];
    writeFileSync(`${layout.dir}/.tmp-${ulid}-0123456789ab`, "cut off");
    writeFileSync(`${layout.dir}/pending-${ulid.slice(0, -4)}0000.lock`, "");
    writeFileSync(`${layout.ingesterDir}/high-water.4711`, ulid.slice(0, 9));
  },
  async run(world, seams) {
    const clock = new ShiftedClock(3_600_000 + 60_000);
    try {
      recover({ fs: seams.fsSync, layout: world.layout, clock, events: seams.events });
    } catch (error) {
      world.truth.workFailed(error);
    }
  },
};

/** Leaves a quarantine move between link and unlink. */
async function interruptedQuarantine(world: CrashWorld): Promise<void> {
  const plain = plainSeams(world);
  const unlink = (path: string): void => {
    if (/pending-[^/]*\.json$/.test(path)) throw Object.assign(new Error("EIO"), { code: "EIO" });
    plain.fsSync.unlink(path);
  };
  await drain(world, { ...plain, fsSync: { ...plain.fsSync, unlink } });
}

export function itemOf(ulid: string, record: MemoryRecord) {
  const appendedAt = new Date().toISOString();
  const recordJson = JSON.stringify(record);
  return { ulid, appendedAt, record, recordJson, sha256: textSha256(record.surface) };
}

export const OPERATIONS: readonly Operation[] = [
  firstCapture,
  laterCapture,
  capturesSideBySide,
  repeatedCapture,
  byRecord,
  byBatch,
  quarantineByRecord,
  quarantineByBatch,
  spill,
  drop,
  refuse,
  recovery,
];

/** @throws TypeError for a name that the catalogue does not hold */
export function operationNamed(name: string): Operation {
  const operation = OPERATIONS.find((one) => one.name === name);
  if (!operation) throw new TypeError(`there is no operation ${name}`);
  return operation;
}
