/** P9: the ingester is what the governor's pace acts upon. */
import { describe, expect, it } from "vitest";
import { Pace } from "../../src/ingest/pace.ts";
import { gate, IngestBench, until } from "../support/ingest-bench.ts";

describe("the ingester's pace", () => {
  it("P9: the full pace changes neither batches nor pauses", () => {
    const pace = new Pace();
    expect(pace.records(500)).toBe(500);
    expect(pace.pauseMs(1_000)).toBe(0);
  });

  it("P9: a share makes batches smaller, one record at least, and pauses longer", () => {
    const pace = new Pace();
    pace.set(0.5);
    expect([pace.records(500), pace.pauseMs(40)]).toEqual([250, 40]);
    pace.set(0.2);
    expect([pace.records(500), pace.pauseMs(40)]).toEqual([100, 160]);
    expect(pace.records(3)).toBe(1);
  });

  it("P9: no pause is longer than 2 s, whatever share it is told", () => {
    const pace = new Pace();
    for (const share of [0.2, 0, -1, Number.MIN_VALUE]) {
      pace.set(share);
      expect(pace.pauseMs(60_000)).toBe(2_000);
    }
    pace.set(7);
    expect(pace.share).toBe(1);
  });

  it("P9: a drain takes smaller batches from the moment on that it is slowed", async () => {
    const bench = new IngestBench();
    await bench.appendMany(20);
    const ingester = bench.ingester({ batchRecordsMax: 8 });
    const batches: number[] = [];
    await ingester.drain({
      dueOrNot: false,
      onBatch: (count) => {
        batches.push(count);
        ingester.pace(0.25);
      },
    });
    expect(batches).toEqual([8, 2, 2, 2, 2, 2, 2]);
    expect(bench.reports.at(-1)?.pace.share).toBe(0.25);
    expect(bench.pending()).toEqual([]);
  });

  it("P9: after a slow batch comes a pause, which a flush does not end and a stop does", async () => {
    const bench = new IngestBench();
    await bench.appendMany(4);
    const slow = gate();
    let batches = 0;
    let nowMs = 0;
    const clock = { nowMs: () => Date.now(), monotonicMs: () => nowMs };
    bench.store.before = () => {
      batches++;
      nowMs += 500; // what a batch takes: at a fifth of the pace 2 s of pause
      slow.open();
    };
    const ingester = bench.ingester({ clock, batchRecordsMax: 5 });
    ingester.pace(0.2);
    ingester.start();
    await slow.opened;
    await until(() => expect(bench.reports.at(-1)?.lastBatch?.count).toBe(1));
    ingester.flush();
    ingester.wake();
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    expect(batches).toBe(1);
    const stoppedAtMs = performance.now();
    await ingester.stop();
    // A whole pause would be 2 s; the bound is only there to tell the two apart.
    expect(performance.now() - stoppedAtMs).toBeLessThan(1_500);
    expect(bench.pending()).toHaveLength(3);
  });
});
