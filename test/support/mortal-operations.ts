/**
 * The operations that die at every step: how the disk looks before, and what is run. Also the
 * broken variants that the rig has to catch. One entry an operation.
 */
import { linkSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentEvents } from "../../src/events/catalogue.ts";
import { pendingPath, tempPath } from "../../src/queue/layout.ts";
import { readEnvelope } from "../../src/queue/read-envelope.ts";
import { recover } from "../../src/queue/recover.ts";
import type { CommitItem } from "../../src/store/memory-store.ts";
import { BROKEN_OVERFLOW, OVERFLOW_OPERATIONS } from "./mortal-overflow.ts";
import {
  capture,
  drainAll,
  ingestByRecord,
  type MortalScene,
  makeStore,
  openMortalStore,
  pendingIds,
  queueOf,
  spoil,
} from "./mortal-scene.ts";

export interface MortalOperation {
  readonly name: string;
  prepare(scene: MortalScene): Promise<void>;
  run(scene: MortalScene): Promise<void>;
  /** Of a variant that must lose, alter or double something at one of its steps: of what it is one. */
  readonly brokenFormOf?: string;
}

const AWKWARD = "\ud800 \u0000 e\u0301 \r\n\u202e";

async function withPending(scene: MortalScene, count: number): Promise<void> {
  await makeStore(scene);
  const queue = queueOf(scene);
  for (let n = 0; n < count; n++) await capture(scene, queue, `before ${n} ${AWKWARD}`);
  await queue.close();
}

/** The first directories, a record alone, and two side by side. */
async function captureSome(scene: MortalScene): Promise<void> {
  const queue = queueOf(scene);
  await capture(scene, queue, `first ${AWKWARD}`);
  await Promise.all([
    capture(scene, queue, `second ${"x".repeat(9_000)}`),
    capture(scene, queue, "third"),
  ]);
  await queue.close();
}

async function withSpoiled(scene: MortalScene): Promise<void> {
  await withPending(scene, 3);
  spoil(scene, pendingIds(scene)[1] as string);
}

/** What several crashes left: temp files, an orphan mark, a move into quarantine half done. */
async function withLeftovers(scene: MortalScene): Promise<void> {
  await withSpoiled(scene);
  const { layout } = scene;
  const [first, spoiled] = pendingIds(scene) as [string, string];
  const leftovers = [
    tempPath(layout, first),
    join(layout.ingesterDir, "high-water.123"),
    join(layout.dir, `pending-${first.replace(/.$/, "0")}.lock`),
  ];
  for (const path of leftovers) {
    writeFileSync(path, "left");
    utimesSync(path, 1, 1);
  }
  const aside = join(layout.quarantineDir, `pending-${spoiled}`);
  writeFileSync(`${aside}.reason.json`, "{}");
  linkSync(pendingPath(layout, spoiled), `${aside}.json`);
  rmSync(layout.doneDir, { recursive: true });
}

async function recoverOnce(scene: MortalScene): Promise<void> {
  const { fsSync: fs, layout, clock } = scene;
  recover({ fs, layout, clock, events: silentEvents });
}

export const OPERATIONS: readonly MortalOperation[] = [
  { name: "capture", prepare: async () => {}, run: captureSome },
  { name: "ingest by record", prepare: (scene) => withPending(scene, 3), run: ingestByRecord },
  { name: "ingest by batch", prepare: (scene) => withPending(scene, 4), run: drainAll },
  { name: "quarantine", prepare: withSpoiled, run: (scene) => drainAll(scene, 1) },
  { name: "recovery", prepare: withLeftovers, run: recoverOnce },
  ...OVERFLOW_OPERATIONS,
];

export const RECOVERY: MortalOperation = {
  name: "recovery after a death",
  prepare: async () => {},
  run: recoverOnce,
};

/** Tells of a receipt before the name is durable, or there at all. */
async function acknowledgeEarly(scene: MortalScene): Promise<void> {
  const queue = queueOf(scene);
  const ulid = "01JNXE5M00ABCDEFGHJKMNPQRS";
  scene.attempt("early");
  scene.acknowledge(ulid, "early");
  await queue.append({ surface: "early" }, { retryUlid: ulid });
  await queue.close();
}

async function unlinkBeforeCommit(scene: MortalScene): Promise<void> {
  const store = await openMortalStore(scene);
  for (const ulid of pendingIds(scene)) {
    const path = pendingPath(scene.layout, ulid);
    const envelope = readEnvelope(scene.fsSync, path, ulid);
    scene.fsSync.unlink(path);
    await store.commitBatch([envelope as CommitItem]);
  }
  await store.close();
}

/** Writes the envelope under its visible name, as if nobody could die in the middle. */
async function writeInPlace(scene: MortalScene): Promise<void> {
  const [ulid] = pendingIds(scene) as [string];
  const path = pendingPath(scene.layout, ulid);
  const { bytes } = readEnvelope(scene.fsSync, path, ulid) as { bytes: Buffer };
  scene.fsSync.unlink(path);
  const fd = scene.fsSync.openExclusive(path);
  scene.fsSync.write(fd, bytes, 0, bytes.length);
  scene.fsSync.fsync(fd);
  scene.fsSync.close(fd);
}

export const BROKEN: readonly MortalOperation[] = [
  {
    name: "receipt before the name is there",
    prepare: makeStore,
    run: acknowledgeEarly,
    brokenFormOf: "capture",
  },
  {
    name: "unlink before commit",
    prepare: (scene) => withPending(scene, 2),
    run: unlinkBeforeCommit,
    brokenFormOf: "ingest by record",
  },
  {
    name: "written under its visible name",
    prepare: (scene) => withPending(scene, 1),
    run: writeInPlace,
    brokenFormOf: "capture",
  },
  ...BROKEN_OVERFLOW,
];
