/** A queue that nobody drains, a flood of low priority, and dice with a seed. */
import { expect, it } from "vitest";
import { Captures } from "../../src/memory/capture.ts";
import { systemClock as clock } from "../../src/platform/clock.ts";
import { nodeDurableFs as fs } from "../../src/platform/durable-fs.ts";
import { keepingTiming } from "../../src/platform/timing.ts";
import { CaptureGate } from "../../src/pressure/capture-gate.ts";
import { SpoolGuard } from "../../src/pressure/spool-guard.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { SpoolMeter } from "../../src/queue/spool-meter.ts";
import { seededRandom } from "../support/capturing-server.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { MIB, QUOTA } from "../support/gate-scene.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

const MAX_RECORDS = 200;
const SEED = 20_260_301;

it("P9: as the queue fills, low priority is refused by its share; the others never are", async () => {
  const events = new RecordedEvents();
  const queue = new CaptureQueue({ queueDir: freshDirectory(), maxSize: 10 * MAX_RECORDS });
  const limits = { ...QUOTA, quotaBytes: 100 * MIB, freeBytesMin: 0, freeInodesMin: 0 };
  const guard = new SpoolGuard({ clock, events, limits });
  const meter = new SpoolMeter({ fs, layout: queue.layout, clock });
  const gate = new CaptureGate({
    ...{ guard, events, timing: keepingTiming, random: seededRandom(SEED) },
    settings: {
      ...{ delayMs: 300, waitMs: 2_000, waitRecords: 64, waitBytes: 16 * MIB },
      earlyDrop: { fromPct: 60, refusePct: 30 },
    },
    maxRecords: MAX_RECORDS,
    memoryLevel: () => "normal",
  });
  const captures = new Captures({ queue, gate, project: "", onCaptured: () => {} });
  const look = async () => {
    const { usage, pendingUlids } = await meter.measure();
    guard.measured(usage, pendingUlids);
  };
  const flood = async (count: number, priority: "high" | "normal" | "low") => {
    const inputs = Array.from({ length: count }, (_, n) => ({
      surface: `${priority} ${n}`,
      priority,
    }));
    const outcomes = await captures.captureBatch(inputs);
    return outcomes.filter((outcome) => "error" in outcome).length;
  };
  await look();
  expect(await flood(100, "low")).toBe(0); // half full
  expect(await flood(60, "normal")).toBe(0); // 80 %
  await look();
  let refused = 0;
  let dice = 0;
  while (guard.pendingCount() !== MAX_RECORDS) {
    refused += await flood(1, "low");
    dice++;
  }
  // From 80 to 100 % full the share rises from 15 to 30 %: of some 52 that come 40 get in.
  expect(refused).toBe(dice - 40);
  expect(refused / dice).toBeGreaterThan(0.1);
  expect(refused / dice).toBeLessThan(0.4);
  const full = await flood(100, "low");
  expect(full).toBeGreaterThan(18);
  expect(full).toBeLessThan(42);
  expect(await flood(50, "normal")).toBe(0);
  expect(await flood(50, "high")).toBe(0);
  expect(gate.facts()).toMatchObject({ refusedEarly: refused + full, refusedByQuota: 0 });
  expect(captures.counts).toMatchObject({ captured: 400 - full, failed: refused + full });
  expect(await queue.pendingCount()).toBe(400 - full);
  expect(events.named("backpressure_warning")).toEqual([{ kind: "early_drop", count: 1 }]);
  gate.close();
  await queue.close();
});
