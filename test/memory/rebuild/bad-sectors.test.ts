import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { type DurableFsSync, nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { pendingPath } from "../../../src/queue/layout.ts";
import { idOf, itemOf } from "../../contract/store-bench.ts";
import { systemError } from "../../support/faulty-fs.ts";
import { idsOf, RebuildScene } from "./rebuild-scene.ts";

let scene: RebuildScene;

beforeEach(async () => {
  scene = new RebuildScene();
  await scene.ingest([itemOf(0), itemOf(1)]);
});

/** A disk that can not read one file's content, or not even its facts. */
function badSector(path: string, { facts = false } = {}): DurableFsSync {
  let fdOfBad: number | undefined;
  const refuse = (fd: number) => {
    if (fd === fdOfBad) throw systemError("EIO");
  };
  return {
    ...nodeDurableFsSync,
    openRead: (opened) => {
      const fd = nodeDurableFsSync.openRead(opened);
      if (opened === path) fdOfBad = fd;
      else if (fd === fdOfBad) fdOfBad = undefined;
      return fd;
    },
    read: (fd, buffer) => {
      refuse(fd);
      return nodeDurableFsSync.read(fd, buffer);
    },
    readAt: (fd, buffer, position) => {
      refuse(fd);
      return nodeDurableFsSync.readAt(fd, buffer, position);
    },
    facts: (asked) => {
      if (facts && asked === path) throw systemError("EIO");
      return nodeDurableFsSync.facts(asked);
    },
  };
}

describe("a file that the disk can not read", () => {
  it("I6: of the archive: a rebuild takes in the rest and says so, or refuses by the ids", async () => {
    const [bad] = scene.archiveFiles() as [string];
    scene.clock.advance(3_600_000);
    await scene.ingest([itemOf(2)]);
    scene.fs = badSector(bad);
    const whole = await scene.rebuild();
    expect(whole).toMatchObject({ swapped: true, records: 3, archive: { skipped_stretches: 1 } });
    rmSync(join(scene.home, "store"), { recursive: true });
    scene.captured = [idOf(0), idOf(1), idOf(2)];
    await expect(scene.rebuild()).rejects.toMatchObject({
      code: "REBUILD_INCOMPLETE",
      details: { records: 1, unaccounted_ulids: [idOf(0), idOf(1)] },
    });
    await scene.rebuild({ acceptMissing: true });
    expect(idsOf(scene.dump())).toEqual([idOf(2)]);
  });

  it("I6: of the queue or the overflow: it stays for the ingester, and is counted", async () => {
    scene.append(itemOf(3));
    scene.fs = badSector(pendingPath(scene.layout, idOf(3)));
    expect(await scene.rebuild()).toMatchObject({ records: 2, unread_envelopes: 1 });
    scene.fs = badSector(scene.spill([itemOf(4), itemOf(5)]));
    expect(await scene.rebuild()).toMatchObject({ records: 3, unread_envelopes: 2 });
  });

  it("I6: a segment that can not be looked at has not moved on into the store", async () => {
    const path = scene.spill([itemOf(4), itemOf(5)]);
    writeFileSync(path, "");
    scene.fs = badSector(path, { facts: true });
    expect(await scene.rebuild()).toMatchObject({ records: 2, unread_envelopes: 2 });
  });
});
