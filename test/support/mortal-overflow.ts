/** Operations around a full queue and the quarantine's way back that die at every step. */
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { silentEvents } from "../../src/events/catalogue.ts";
import { SharedDirectorySync } from "../../src/platform/shared-directory-sync.ts";
import { pendingPath, quarantinedUlid } from "../../src/queue/layout.ts";
import { quarantine } from "../../src/queue/quarantine.ts";
import { returnFromQuarantine } from "../../src/queue/quarantine-return.ts";
import { recover } from "../../src/queue/recover.ts";
import type { MortalOperation } from "./mortal-operations.ts";
import {
  capture,
  drainAll,
  ingestByRecord,
  type MortalScene,
  makeStore,
  pendingIds,
  queueOf,
} from "./mortal-scene.ts";

const MAX = 3;

async function captureInto(
  scene: MortalScene,
  count: number,
  overflow: "spill" | "drop-oldest",
  what: string,
): Promise<void> {
  const queue = queueOf(scene, { maxSize: MAX, overflow });
  for (let n = 0; n < count; n++) await capture(scene, queue, `${what} ${n}`);
  await queue.close();
}

async function withFullQueue(scene: MortalScene): Promise<void> {
  await makeStore(scene);
  await captureInto(scene, MAX, "spill", "before");
}

/** Two segments and a full queue. */
async function withSegments(scene: MortalScene): Promise<void> {
  await withFullQueue(scene);
  await captureInto(scene, 2, "spill", "more");
}

/** As if a crash had come between the audit lines and the unlinks. */
async function withHalfDonePrunes(scene: MortalScene, overflow: "spill" | "drop-oldest") {
  await withFullQueue(scene);
  const kept = pendingIds(scene).map((ulid) => {
    const copy = join(scene.home, ulid);
    copyFileSync(pendingPath(scene.layout, ulid), copy);
    return { ulid, copy };
  });
  await captureInto(scene, 2, overflow, "more");
  for (const { ulid, copy } of kept) {
    const path = pendingPath(scene.layout, ulid);
    if (!existsSync(path)) copyFileSync(copy, path);
  }
}

async function withQuarantined(scene: MortalScene): Promise<void> {
  await withFullQueue(scene);
  const [first] = pendingIds(scene) as [string];
  const { fsSync: fs, layout, clock } = scene;
  const reason = { code: "STORE_REFUSED", message: "made by a test", attempts: 3 } as const;
  quarantine({ fs, layout, clock }, first, reason);
}

async function returnAll(scene: MortalScene): Promise<void> {
  const { fs, layout, clock } = scene;
  const directory = new SharedDirectorySync(fs, layout.dir);
  const quarantineDirectory = new SharedDirectorySync(fs, layout.quarantineDir);
  const parts = { fs, layout, clock, events: silentEvents, directory, quarantineDirectory };
  for (const name of readdirSync(layout.quarantineDir)) {
    if (quarantinedUlid(name)) await returnFromQuarantine(parts, name);
  }
  await Promise.all([directory.close(), quarantineDirectory.close()]);
}

async function recoverOnce(scene: MortalScene): Promise<void> {
  const { fsSync: fs, layout, clock } = scene;
  recover({ fs, layout, clock, events: silentEvents });
}

export const OVERFLOW_OPERATIONS: readonly MortalOperation[] = [
  {
    name: "spill",
    prepare: withFullQueue,
    run: (scene) => captureInto(scene, 2, "spill", "over"),
  },
  {
    name: "drop-oldest",
    prepare: withFullQueue,
    run: (scene) => captureInto(scene, 2, "drop-oldest", "over"),
  },
  { name: "ingest of segments", prepare: withSegments, run: (scene) => drainAll(scene) },
  { name: "ingest of segments by record", prepare: withSegments, run: ingestByRecord },
  {
    name: "recovery of a spill",
    prepare: (scene) => withHalfDonePrunes(scene, "spill"),
    run: recoverOnce,
  },
  {
    name: "recovery of a drop",
    prepare: (scene) => withHalfDonePrunes(scene, "drop-oldest"),
    run: recoverOnce,
  },
  { name: "quarantine retry", prepare: withQuarantined, run: returnAll },
];

/** Lets the victim go before a word about it is on disk. */
async function dropUnaudited(scene: MortalScene): Promise<void> {
  const [oldest] = pendingIds(scene) as [string];
  scene.fsSync.unlink(pendingPath(scene.layout, oldest));
  await captureInto(scene, 1, "drop-oldest", "over");
}

export const BROKEN_OVERFLOW: readonly MortalOperation[] = [
  {
    name: "dropped without an audit line",
    prepare: withFullQueue,
    run: dropUnaudited,
    brokenFormOf: "drop-oldest",
  },
];
