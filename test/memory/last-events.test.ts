import { expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import type { FlightReport } from "../../src/events/flight-recorder.ts";
import { lastEvents } from "../../src/memory/last-events.ts";

const report = {
  ...{ started_at: "2026-03-01T09:30:00.000Z", dropped: 2 },
  signals: Array.from({ length: 100 }, (_, index) => ({ code: index })),
  snapshots: Array.from({ length: 50 }, (_, index) => ({ missed: index })),
} as unknown as FlightReport;

it("R5: gives the newest of both, as many as asked for", () => {
  const parts = { flight: () => report, startedAtMs: 0 };
  const page = lastEvents(parts, { limit: 3 });
  expect(page).toMatchObject({ started_at: report.started_at, dropped: 2 });
  expect(page.signals).toEqual(report.signals.slice(0, 3));
  expect(page.snapshots).toEqual(report.snapshots.slice(0, 3));
  expect(lastEvents(parts, {}).signals).toHaveLength(20);
  expect(lastEvents(parts, { limit: 1_000 }).signals).toHaveLength(100);
  for (const limit of [0, -1, 1.5]) {
    expect(() => lastEvents(parts, { limit })).toThrow(MemspoolError);
  }
});

it("R5: a process without a recorder has nothing to tell", () => {
  expect(lastEvents({ startedAtMs: 0 }, {})).toEqual({
    ...{ started_at: "1970-01-01T00:00:00.000Z", dropped: 0, signals: [], snapshots: [] },
  });
});
