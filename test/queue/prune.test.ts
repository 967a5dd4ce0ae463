import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { AuditLog } from "../../src/queue/audit-log.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { Claims } from "../../src/queue/claim.ts";
import { markPath, pendingPath } from "../../src/queue/layout.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { type PruneParts, prune } from "../../src/queue/prune.ts";
import { recover } from "../../src/queue/recover.ts";
import { faultyFsSync, systemError } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { RecordedEvents } from "../support/recorded-events.ts";
import { overflowNames } from "../support/spilled-segments.ts";

/** Pending records, and what a full queue would let go of them with. */
async function scene(count: number, fsSync: DurableFsSync = nodeDurableFsSync) {
  const queue = new CaptureQueue({ queueDir: join(freshDirectory(), "queue") });
  const ulids: string[] = [];
  for (let n = 0; n < count; n++) ulids.push((await queue.append({ surface: `${n}` })).ulid);
  const { layout } = queue;
  const claims = new Claims(fsSync, layout, systemClock, newMarkMemory());
  const audit: PruneParts["audit"] = { record: () => {} };
  const parts: PruneParts = {
    fs: nodeDurableFs,
    layout,
    clock: systemClock,
    events: new RecordedEvents(),
    claims,
    audit,
  };
  const ask = (policy: "spill" | "drop-oldest", audited: () => void) =>
    prune(
      { ...parts, audit: { record: audited } },
      { policy, candidates: ulids, wanted: count, depth: count },
    );
  return { queue, layout, claims, ulids, ask };
}

describe("records that leave a full queue", () => {
  it.each(["spill", "drop-oldest"] as const)(
    "Q11: with policy %s, another file that got a victim's id meanwhile stays",
    async (policy) => {
      const { queue, layout, ulids, ask } = await scene(2);
      const path = pendingPath(layout, ulids[0] as string);
      await ask(policy, () => {
        // Stopped here for long: ingested or set aside meanwhile, and sent back into the queue.
        for (const name of overflowNames(layout)) unlinkSync(join(layout.overflowDir, name));
        copyFileSync(path, `${path}.copy`);
        const later = Date.now() / 1_000 + 5; // a file system's clock may stand still for a moment
        utimesSync(`${path}.copy`, later, later);
        renameSync(`${path}.copy`, path);
      });
      expect((await queue.listPending()).map(({ ulid }) => ulid)).toEqual([ulids[0]]);
      await queue.close();
    },
  );

  it("Q11: a segment stays when recovery elsewhere has acted by it, although the audit log failed", async () => {
    const { queue, layout, ulids, ask } = await scene(2);
    const spilling = ask("spill", () => {
      const log = new AuditLog({ layout });
      const path = pendingPath(layout, ulids[0] as string);
      const { ulid, appended_at: appendedAt, sha256 } = JSON.parse(readFileSync(path, "utf8"));
      log.record("spilled", [{ ulid, appendedAt, sha256 }], 2);
      log.close();
      // The line is whole, its fsync fails, and this process is stopped for longer than marks last.
      const longAgo = Date.now() / 1_000 - 60;
      for (const each of ulids) utimesSync(markPath(layout, each), longAgo, longAgo);
      const events = new RecordedEvents();
      const other = { fs: nodeDurableFsSync, layout, clock: systemClock, events };
      recover({ ...other, markMemory: newMarkMemory() });
      expect(events.named("recovery_completed")).toMatchObject([{ spills_finished: 1 }]);
      throw systemError("EIO");
    });
    await expect(spilling).rejects.toMatchObject({ code: "EIO" });
    expect(existsSync(pendingPath(layout, ulids[0] as string))).toBe(false);
    expect(overflowNames(layout)).toHaveLength(1);
    await queue.close();
  });

  it("Q11: when the audit log fails and all are still pending, the segment is taken back", async () => {
    const { queue, layout, ulids, ask } = await scene(2);
    const spilling = ask("spill", () => {
      throw systemError("EIO");
    });
    await expect(spilling).rejects.toMatchObject({ code: "EIO" });
    expect([overflowNames(layout), await queue.pendingCount()]).toEqual([[], ulids.length]);
    await queue.close();
  });

  it("Q11: a mark that can not be removed keeps no other victim's", async () => {
    const faulty = faultyFsSync();
    const { queue, layout, claims, ulids, ask } = await scene(3, faulty.fs);
    const spilling = ask("spill", () => {
      faulty.fail({ method: "unlink", errno: "EROFS", nth: 1 });
      throw systemError("EROFS");
    });
    await expect(spilling).rejects.toMatchObject({ code: "EROFS" });
    faulty.fail(undefined);
    expect(readdirSync(layout.dir).filter((name) => name.endsWith(".lock"))).toHaveLength(1);
    const longAgo = Date.now() / 1_000 - 60;
    utimesSync(markPath(layout, ulids[0] as string), longAgo, longAgo);
    for (const ulid of ulids) {
      const claim = claims.take(ulid);
      expect(claim).toBeDefined();
      claim?.release();
    }
    await queue.close();
  });

  it("Q11: a queue directory that was removed while it was full is made again", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const queue = new CaptureQueue({ queueDir, maxSize: 1 });
    await queue.append({ surface: "first" });
    rmSync(queueDir, { recursive: true });
    const { ulid } = await queue.append({ surface: "second" });
    expect((await queue.listPending()).map((each) => each.ulid)).toEqual([ulid]);
    await queue.close();
  });
});
