import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { silentEvents } from "../../src/events/catalogue.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { quarantine } from "../../src/queue/quarantine.ts";
import { recover } from "../../src/queue/recover.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const REASON = { code: "STORE_REFUSED", message: "why", attempts: 3 } as const;

/** How the name in quarantine comes to be there before the process that is stopped looks. */
type Before = (pending: string, quarantined: string) => void;

/** One record that is set aside by a process which is stopped in the fsync of the quarantine. */
async function stoppedInFsync(before: Before) {
  const queue = new CaptureQueue({ queueDir: join(freshDirectory(), "queue") });
  const { layout } = queue;
  const { ulid } = await queue.append({ surface: "a heron" });
  await queue.close();
  const pending = pendingPath(layout, ulid);
  const bytes = readFileSync(pending);
  mkdirSync(layout.quarantineDir, { recursive: true });
  const quarantined = join(layout.quarantineDir, `pending-${ulid}.json`);
  before(pending, quarantined);
  let watched: number | undefined;
  let isBack = false;
  const fs: DurableFsSync = {
    ...nodeDurableFsSync,
    openDirectory: (path) => {
      const fd = nodeDurableFsSync.openDirectory(path);
      if (path === layout.quarantineDir && existsSync(quarantined)) watched = fd;
      return fd;
    },
    fsync: (fd) => {
      nodeDurableFsSync.fsync(fd);
      if (fd !== watched || isBack) return;
      // Another process finishes the move, and somebody sends the record back: a copy is pending,
      // and the quarantine has none of it.
      isBack = true;
      copyFileSync(pending, `${pending}.copy`);
      renameSync(`${pending}.copy`, pending);
      nodeDurableFsSync.unlink(quarantined);
    },
  };
  return { fs, layout, ulid, left: () => [isBack, readFileSync(pending).equals(bytes)] };
}

describe("a process that was stopped while it set a record aside", () => {
  it.each<[string, Before]>([
    ["moved", () => {}],
    ["found beside a copy of it", copyFileSync],
  ])("Q9: leaves one that was %s and came back meanwhile", async (_, before) => {
    const { fs, layout, ulid, left } = await stoppedInFsync(before);
    quarantine({ fs, layout, clock: systemClock }, ulid, REASON);
    expect(left()).toEqual([true, true]);
  });

  it("Q12: leaves one whose move it finished, and that came back meanwhile", async () => {
    const { fs, layout, left } = await stoppedInFsync(linkSync);
    recover({ fs, layout, clock: systemClock, events: silentEvents, markMemory: newMarkMemory() });
    expect(left()).toEqual([true, true]);
  });
});
