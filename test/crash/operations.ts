/**
 * The operations that the rigs interrupt, one entry each: what lies there before, and what is done.
 *
 * Guarantees: `run` goes through the seams for everything it does, notes every outcome in the
 * truth, lets go of what it opened, and never rejects for what the disk does.
 */
import { writeFileSync } from "node:fs";
import { SharedDirectorySync } from "../../src/platform/shared-directory-sync.ts";
import { AuditLog } from "../../src/queue/audit-log.ts";
import { returnFromQuarantine } from "../../src/queue/quarantine-return.ts";
import { recover } from "../../src/queue/recover.ts";
import { generateUlid } from "../../src/record/record-id.ts";
import { type CrashWorld, plainSeams, type Seams, ShiftedClock } from "./crash-world.ts";
import { forgetCarriedOut, forgetOrdered } from "./forget-operations.ts";
import {
  backlog,
  capture,
  damage,
  drain,
  ingestByRecord,
  itemOf,
  newText,
  type QueueShape,
  queueOf,
  texts,
} from "./operation-steps.ts";
import { rebuild } from "./rebuild-operation.ts";

export interface Operation {
  readonly name: string;
  /** Made without faults. */
  prepare(world: CrashWorld): Promise<void>;
  run(world: CrashWorld, seams: Seams): Promise<void>;
  /** Records leave the queue only for an archive that a rebuild can read. */
  readonly archives?: true;
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

/** From the caller to the store in one go, so that every line and name is young. */
const captureAndIngest: Operation = {
  name: "capture, then ingest",
  archives: true,
  prepare: async () => {},
  async run(world, seams) {
    const queue = queueOf(world, seams);
    for (const record of texts(2)) await capture(world, queue, record);
    await queue.close();
    await drain(world, seams);
  },
};

const segmentIngest: Operation = {
  name: "ingest of a segment",
  archives: true,
  async prepare(world) {
    const plain = plainSeams(world);
    await spill.prepare(world);
    await spill.run(world, plain);
    const [ulid] = [...world.truth.acknowledged.keys()] as [string];
    const surface = world.truth.acknowledged.get(ulid) as string;
    // Of the spilled ones, one is in the store already.
    world.store.commit([itemOf(ulid, { surface })]);
  },
  run: drain,
};

const quarantineReturn: Operation = {
  name: "return from quarantine",
  async prepare(world) {
    await backlog(world, texts(2));
    await ingestByRecord(world, plainSeams(world), () => true);
  },
  async run(world, seams) {
    const { fs, clock, events } = seams;
    const { layout } = world;
    const directory = new SharedDirectorySync(fs, layout.dir);
    const quarantineDirectory = new SharedDirectorySync(fs, layout.quarantineDir);
    const parts = { fs, layout, clock, events, directory, quarantineDirectory };
    for (const ulid of world.truth.acknowledged.keys()) {
      try {
        const outcome = await returnFromQuarantine(parts, `pending-${ulid}.json`);
        if (outcome instanceof Error) world.truth.workFailed(outcome);
      } catch (error) {
        world.truth.workFailed(error);
      }
    }
    await Promise.all([directory.close(), quarantineDirectory.close()]);
  },
};

/** Lines about records that are lost on purpose; its files are full after a few of them. */
const auditRotation: Operation = {
  name: "rotation of the audit log",
  async prepare(world) {
    await backlog(world, texts(1));
    await auditDrops(world, plainSeams(world), 1);
  },
  run: (world, seams) => auditDrops(world, seams, 4),
};

/** Nothing is deleted within these limits: every line must be found in one of the files. */
const AUDIT_LIMITS = { fileBytesMax: 600, backupsMax: 50, totalBytesMax: 1_000_000 };

async function auditDrops(world: CrashWorld, seams: Seams, count: number): Promise<void> {
  const { layout, truth } = world;
  const { fsSync: fs, clock, events } = seams;
  const log = new AuditLog({ layout, fs, clock, events, limits: AUDIT_LIMITS });
  for (let n = 0; n < count; n++) {
    const ulid = generateUlid();
    const appendedAt = new Date(clock.nowMs()).toISOString();
    const victims = [{ ulid, appendedAt, sha256: "0".repeat(64) }];
    try {
      log.record("dropped", victims, 1);
      truth.acknowledge(ulid, "dropped on purpose");
    } catch (error) {
      truth.workFailed(error);
    }
  }
  log.close();
}

const rebuildOfStore: Operation = {
  name: "rebuild",
  archives: true,
  async prepare(world) {
    await backlog(world, texts(2));
    await drain(world, plainSeams(world));
    await spill.prepare(world);
    await spill.run(world, plainSeams(world));
  },
  run: rebuild,
};

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
  captureAndIngest,
  segmentIngest,
  quarantineReturn,
  auditRotation,
  rebuildOfStore,
  recovery,
  forgetOrdered,
  forgetCarriedOut,
];

/** @throws TypeError for a name that the catalogue does not hold */
export function operationNamed(name: string): Operation {
  const operation = OPERATIONS.find((one) => one.name === name);
  if (!operation) throw new TypeError(`there is no operation ${name}`);
  return operation;
}
