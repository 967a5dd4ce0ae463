import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { IngestReport } from "../../src/ingest/ingest-report.ts";
import { ingesterView } from "../../src/ingest/ingester-view.ts";
import { LeaderFile, readLeaderNote } from "../../src/ingest/leader-file.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const REPORT: IngestReport = {
  state: "draining",
  lastBatch: { atMs: 5, count: 3, ms: 2 },
  delayed: null,
  pace: { share: 1, pausedMs: 0 },
  totals: { ingested: 3, duplicates: 0, quarantined: 0, expired: 0 },
  trim: null,
};
const DELAYED: IngestReport = {
  ...REPORT,
  state: "delayed",
  delayed: { code: "STORE_UNAVAILABLE", reason: "busy", sinceMs: 7, untilMs: 9, failures: 1 },
};
const FOLLOWER = { leads: false, report: undefined };

function bench() {
  const layout = queueLayout(freshDirectory());
  mkdirSync(layout.ingesterDir);
  const clock = new ManualClock();
  const faulty = faultyFsSync();
  const file = new LeaderFile(faulty.fs, layout, clock);
  const written = () => faulty.calls.filter(({ method }) => method === "replace").length;
  return { layout, clock, faulty, file, written };
}

describe("the leader's note", () => {
  it("I3: tells other processes who leads and how it fares, while there is a lease", async () => {
    const { layout, clock, file } = bench();
    file.note(DELAYED);
    const sinceMs = clock.nowMs();
    expect(await ingesterView(nodeDurableFs, layout, FOLLOWER, clock.nowMs())).toMatchObject({
      leader: null,
      delayed: null,
      lastBatch: REPORT.lastBatch,
    });
    mkdirSync(layout.leasePath);
    expect(await ingesterView(nodeDurableFs, layout, FOLLOWER, clock.nowMs())).toMatchObject({
      leader: { pid: process.pid, sinceMs },
      thisProcessLeads: false,
      delayed: DELAYED.delayed,
      totals: { ingested: 0, duplicates: 0, quarantined: 0, expired: 0 },
    });
    const own = await ingesterView(
      nodeDurableFs,
      layout,
      { leads: true, report: REPORT },
      clock.nowMs(),
    );
    expect(own).toMatchObject({ thisProcessLeads: true, delayed: null, totals: REPORT.totals });
  });

  it("I4: is written once a second while batches run, and at once when a delay begins or ends", () => {
    const { clock, file, written } = bench();
    for (let batch = 0; batch < 10; batch++) file.note(REPORT);
    expect(written()).toBe(1);
    clock.advance(1_000);
    file.note(REPORT);
    expect(written()).toBe(2);
    file.note(DELAYED);
    file.note(DELAYED);
    expect(written()).toBe(3);
    file.note(REPORT);
    expect(written()).toBe(4);
  });

  it("R1: stays a note, and small, where the clock is set back", async () => {
    const { layout, clock, file } = bench();
    mkdirSync(layout.leasePath);
    let ingested = 0;
    const minutes = (count: number) => {
      for (let second = 0; second < count * 60; second++) {
        clock.advance(1_000);
        ingested += 5;
        file.note({ ...REPORT, totals: { ...REPORT.totals, ingested } });
      }
    };
    minutes(2);
    clock.step(-3_600_000);
    minutes(10);
    const note = await readLeaderNote(nodeDurableFs, layout);
    expect(note?.minute.length).toBeLessThanOrEqual(8);
    const seen = await ingesterView(nodeDurableFs, layout, FOLLOWER, clock.nowMs());
    expect(seen.ratePerS).toBeCloseTo(5, 0);
  });

  it("R1: tells the rate of the last minute, the end of a burst too, and none when nobody leads on", async () => {
    const { layout, clock, file } = bench();
    const rate = async () =>
      (await ingesterView(nodeDurableFs, layout, FOLLOWER, clock.nowMs())).ratePerS;
    const batch = (ingested: number) =>
      file.note({ ...REPORT, totals: { ...REPORT.totals, ingested, duplicates: 20 } });
    expect(await rate()).toBe(0);
    batch(100);
    batch(1_180);
    expect(await rate()).toBe(2);
    clock.advance(1_000);
    file.tick();
    expect(await rate()).toBe(20);
    clock.advance(49_000);
    expect(await rate()).toBe(20);
    clock.advance(30_000);
    expect(await rate()).toBe(0);
    batch(1_780);
    file.tick();
    expect(await rate()).toBe(10);
  });

  it("I8: that can not be written stops nobody and is tried again", () => {
    const { layout, file, faulty } = bench();
    faulty.fail({ method: "replace", errno: "ENOSPC" });
    file.note(REPORT);
    faulty.fail(undefined);
    file.note(REPORT);
    expect(JSON.parse(readFileSync(layout.leaderFile, "utf8")).pid).toBe(process.pid);
  });

  it.each(["", "{", '{"pid":"x"}', "null"])(
    "I3: that is damaged (%j) names nobody",
    async (text) => {
      const { layout } = bench();
      writeFileSync(layout.leaderFile, text);
      mkdirSync(layout.leasePath);
      expect(await readLeaderNote(nodeDurableFs, layout)).toBeUndefined();
      expect((await ingesterView(nodeDurableFs, layout, FOLLOWER, 0)).leader).toBeNull();
    },
  );
});
