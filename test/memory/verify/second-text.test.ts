import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { runRebuild } from "../../../src/app/run-rebuild.ts";
import { silentEvents } from "../../../src/events/catalogue.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { nodeDurableFs } from "../../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { sumOf, VerifyBench } from "../../support/verify-bench.ts";

/** An id whose text is stored, and another text under it, which the ingester has set aside. */
async function twoTexts(): Promise<{ bench: VerifyBench; ulid: string }> {
  const bench = new VerifyBench();
  const [ulid = ""] = await bench.capture("the first text");
  await bench.drain();
  const known = { ulid, appendedAt: "2026-03-01T09:30:00.000Z" };
  await bench.openQueue().adopt({ surface: "the second text" }, known);
  await bench.drain();
  expect(readdirSync(bench.layout.quarantineDir)).toContain(`pending-${ulid}.json`);
  return { bench, ulid };
}

it.each([false, true])(
  "V1: another text in quarantine does not stand in for the one that is gone (quick: %s)",
  async (quick) => {
    const { bench, ulid } = await twoTexts();
    const before = await bench.verify({ quick });
    expect(before.ok).toBe(true);
    expect(sumOf(before)).toMatchObject({ captured: 1, stored: 1, quarantined: 0, missing: 0 });
    bench.sql(`DELETE FROM records WHERE ulid = '${ulid}'`);
    await bench.letGo();
    rmSync(bench.archiveFile());
    const after = await bench.verify({ quick });
    expect(sumOf(after)).toMatchObject({ captured: 1, stored: 0, quarantined: 0, missing: 1 });
    expect(after.problems).toContainEqual(
      expect.objectContaining({ kind: "missing", examples: [ulid] }),
    );
  },
);

it("I6: nor does a rebuild take it for the one that nothing brought", async () => {
  const { bench, ulid } = await twoTexts();
  await bench.letGo();
  rmSync(bench.archiveFile());
  for (const suffix of ["-wal", "-shm"]) rmSync(bench.storeFile + suffix, { force: true });
  writeFileSync(bench.storeFile, "no database");
  const { layout, storeFile } = bench;
  const io = { fs: nodeDurableFsSync, readFs: nodeDurableFs };
  const parts = { layout, storeFile, clock: systemClock, events: silentEvents, ...io };
  await expect(runRebuild(parts, {})).rejects.toMatchObject({
    code: "REBUILD_INCOMPLETE",
    details: { unaccounted_ulids: [ulid] },
  });
});
