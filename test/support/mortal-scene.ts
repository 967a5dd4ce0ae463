/**
 * What an operation that is killed at one of its steps works with, the same in the process that
 * prepares the disk and in the one that dies. Nothing here knows vitest: it runs in the child too.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentEvents } from "../../src/events/catalogue.ts";
import { Ingester, type IngesterOptions } from "../../src/ingest/ingester.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { DurableFs } from "../../src/platform/durable-fs.ts";
import type { DurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import type { RecordHandler } from "../../src/queue/ingest-pass.ts";
import { pendingPath, pendingUlid, type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";

export interface MortalScene {
  /** The data directory. */
  readonly home: string;
  readonly layout: QueueLayout;
  readonly fs: DurableFs;
  readonly fsSync: DurableFsSync;
  readonly clock: Clock;
  /** Says outside of the process that a text is about to be captured. */
  attempt(surface: string): void;
  /** Says outside of the process that a receipt was given. */
  acknowledge(ulid: string, surface: string): void;
}

export function sceneAt(
  home: string,
  parts: Pick<MortalScene, "fs" | "fsSync" | "clock" | "attempt" | "acknowledge">,
): MortalScene {
  return { home, layout: queueLayout(join(home, "queue")), ...parts };
}

export function queueOf(
  scene: MortalScene,
  options: Partial<ConstructorParameters<typeof CaptureQueue>[0]> = {},
): CaptureQueue {
  const { fs, fsSync, clock, layout } = scene;
  return new CaptureQueue({ queueDir: layout.dir, fs, fsSync, clock, ...options });
}

/** Captures a text and says so: the receipt is told the moment it is there. */
export async function capture(
  scene: MortalScene,
  queue: CaptureQueue,
  surface: string,
): Promise<string> {
  scene.attempt(surface);
  const { ulid } = await queue.append({ surface });
  scene.acknowledge(ulid, surface);
  return ulid;
}

export function openMortalStore(scene: MortalScene): Promise<MemoryStore> {
  return openStore({ file: join(scene.home, "store", "memspool.db") });
}

/** Makes the store's tables before anybody dies: making them is the database's own affair. */
export async function makeStore(scene: MortalScene): Promise<void> {
  await (await openMortalStore(scene)).close();
}

export function ingesterOf(scene: MortalScene, options: Partial<IngesterOptions> = {}): Ingester {
  const { layout, clock, fsSync } = scene;
  return new Ingester({
    fs: fsSync,
    layout,
    clock,
    events: silentEvents,
    attemptsMax: 3,
    batchRecordsMax: 500,
    pollMs: 1_000_000,
    random: () => 0,
    openStore: () => openMortalStore(scene),
    onReport: () => {},
    ...options,
  });
}

/** Empties the queue into the store as `memspool drain` does. */
export async function drainAll(scene: MortalScene, attemptsMax = 3): Promise<void> {
  const ingester = ingesterOf(scene, { attemptsMax });
  try {
    await ingester.drain({ dueOrNot: true });
  } finally {
    await ingester.stop();
  }
}

/** The library's way into the store: a handler that commits one record. */
export function committing(store: MemoryStore): RecordHandler {
  return async (record, { ulid, appendedAt }) => {
    const sha256 = textSha256(record.surface);
    const recordJson = JSON.stringify(record);
    await store.commitBatch([{ ulid, appendedAt, sha256, record, recordJson }]);
  };
}

export async function ingestByRecord(scene: MortalScene): Promise<void> {
  const store = await openMortalStore(scene);
  await queueOf(scene).ingestPending(committing(store));
  await store.close();
}

export function pendingIds(scene: MortalScene): string[] {
  return readdirSync(scene.layout.dir)
    .map(pendingUlid)
    .filter((ulid) => ulid !== undefined)
    .sort();
}

/** Damages an envelope, so that whoever reads it must set it aside. */
export function spoil(scene: MortalScene, ulid: string): void {
  const path = pendingPath(scene.layout, ulid);
  writeFileSync(path, readFileSync(path, "utf8").replace('"surface":"', '"surface":"?'));
}
