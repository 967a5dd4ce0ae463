/**
 * One of many processes on one data directory: captures, or ingests. Its clock is stepped and its
 * end asked for by lines of JSON on stdin; it says on stdout what it acknowledged and whether it
 * leads. Signals do the rest.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { MemspoolError } from "../../src/errors.ts";
import { Election } from "../../src/ingest/election.ts";
import type { Ingester } from "../../src/ingest/ingester.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { readEnvelope } from "../../src/queue/read-envelope.ts";
import {
  committing,
  ingesterOf,
  type MortalScene,
  openMortalStore,
  pendingIds,
  queueOf,
  sceneAt,
} from "./mortal-scene.ts";

export type CrowdRole =
  | "producer"
  | "electing ingester"
  | "ingester by record"
  // Broken ones, for the negative controls:
  | "ingester that unlinks before commit"
  | "ingester that never lets go";

export interface CrowdTask {
  readonly role: CrowdRole;
  readonly home: string;
  /** Unique; texts begin with it. */
  readonly name: string;
  /** Records that may be pending. */
  readonly maxSize: number;
}

const IN_FLIGHT = 4;
const PRODUCER_PAUSE_MS = 12;
const INGESTER_PAUSE_MS = 40;

const task = JSON.parse(process.argv[2] ?? "") as CrowdTask;
let clockAheadMs = 0;
let stopping = false;

const say = (message: object) => writeSync(1, `${JSON.stringify(message)}\n`);
const scene: MortalScene = sceneAt(task.home, {
  fs: nodeDurableFs,
  fsSync: nodeDurableFsSync,
  clock: { nowMs: () => Date.now() + clockAheadMs, monotonicMs: () => performance.now() },
  attempt: () => {},
  acknowledge: (ulid, surface) => say({ ulid, surface }),
});

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { stepMs } = JSON.parse(line) as { stepMs: number };
  clockAheadMs += stepMs;
});
const told = new Promise<void>((resolve) => lines.once("close", resolve)).then(() => {
  stopping = true;
});

async function produce(): Promise<void> {
  const queue = queueOf(scene, { maxSize: task.maxSize });
  let count = 0;
  const one = async () => {
    while (!stopping) {
      const surface = `${task.name}/${++count} ${"\u00e9\ud800".repeat(count % 40)}`;
      try {
        const { ulid } = await queue.append({ surface });
        scene.acknowledge(ulid, surface);
      } catch (error) {
        // Full, and the oldest are all being worked on: nothing is stored, and that is an answer.
        if (!(error instanceof MemspoolError) || error.code !== "QUEUE_FULL") throw error;
        say({ refused: true });
      }
      await pause(PRODUCER_PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  await queue.close();
}

async function ingestWhenElected(): Promise<void> {
  let ingester: Ingester | undefined;
  const election = new Election({
    layout: scene.layout,
    clock: scene.clock,
    fs: scene.fsSync,
    onElected: () => {
      say({ leads: true });
      ingester = ingesterOf(scene, { batchRecordsMax: 20, pollMs: INGESTER_PAUSE_MS });
      ingester.start();
    },
    onLost: () => {
      say({ leads: false });
      void ingester?.stop();
    },
  });
  election.start();
  await told;
  await ingester?.stop();
  await election.stop();
}

async function ingestByRecord(): Promise<void> {
  const store = await openMortalStore(scene);
  const queue = queueOf(scene);
  while (!stopping) {
    // What fails stays pending; the judge at the end asks for all of it.
    await queue.ingestPending(committing(store)).catch(() => {});
    await pause(INGESTER_PAUSE_MS);
  }
  await store.close();
}

async function unlinkBeforeCommit(): Promise<void> {
  const store = await openMortalStore(scene);
  while (!stopping) {
    const envelopes = pendingIds(scene).flatMap((ulid) => {
      const path = pendingPath(scene.layout, ulid);
      const envelope = readEnvelope(scene.fsSync, path, ulid);
      if (envelope) scene.fsSync.unlink(path);
      return envelope ? [envelope] : [];
    });
    await pause(INGESTER_PAUSE_MS);
    await store.commitBatch(envelopes);
  }
}

/** Its handlers never return, so their marks are touched for ever. */
async function holdForEver(): Promise<void> {
  await Promise.race([queueOf(scene).ingestPending(() => new Promise(() => {})), told]);
}

const WORK: Readonly<Record<CrowdRole, () => Promise<void>>> = {
  producer: produce,
  "electing ingester": ingestWhenElected,
  "ingester by record": ingestByRecord,
  "ingester that unlinks before commit": unlinkBeforeCommit,
  "ingester that never lets go": holdForEver,
};

ensureQueueDirectories(scene.fsSync, scene.layout);
say({ ready: true });
await WORK[task.role]();
process.exit(0);
