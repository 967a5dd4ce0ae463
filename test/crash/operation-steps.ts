/**
 * What operations are put together from: a queue, a capture, a drain, a pass by record, and what
 * may lie there before.
 *
 * Guarantees: everything goes through the seams; outcomes are noted in the truth; a failure of the
 * disk is never thrown on.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { Ingester } from "../../src/ingest/ingester.ts";
import { CaptureQueue, type CaptureQueueOptions } from "../../src/queue/capture-queue.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import type { CommitItem } from "../../src/store/memory-store.ts";
import { type CrashWorld, plainSeams, type Seams, storeOf } from "./crash-world.ts";

const BATCH_RECORDS = 2;
let textNumber = 0;

/** Different each time, and found by a look through raw bytes. */
export function newText(): string {
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
    openStore: async () => storeOf(world, seams),
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
export async function ingestByRecord(
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
export async function backlog(
  world: CrashWorld,
  records: readonly MemoryRecord[],
): Promise<string[]> {
  const queue = queueOf(world, plainSeams(world));
  const ulids: string[] = [];
  for (const record of records) ulids.push((await capture(world, queue, record)) as string);
  await queue.close();
  return ulids;
}

export function texts(count: number): MemoryRecord[] {
  return Array.from({ length: count }, () => ({ surface: newText() }));
}

/** Changes a pending file behind the queue's back: from now on its bytes are what must be kept. */
export function damage(world: CrashWorld, ulid: string): void {
  const path = pendingPath(world.layout, ulid);
  const bytes = Buffer.from(readFileSync(path, "utf8").replace("text", "tent"));
  writeFileSync(path, bytes);
  world.truth.acknowledged.delete(ulid);
  world.truth.damaged.set(ulid, bytes);
}

/** As the ingester would commit it. */
export function itemOf(ulid: string, record: MemoryRecord): CommitItem {
  const appendedAt = new Date().toISOString();
  const recordJson = JSON.stringify(record);
  return { ulid, appendedAt, record, recordJson, sha256: textSha256(record.surface) };
}
