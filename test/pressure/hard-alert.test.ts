/** P4: the alert that the hard limit lasts. */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { HARD_ALERT_NAME, HARD_MS, HardAlert } from "../../src/pressure/hard-alert.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

const HARD = {
  state: "hard",
  reason: "The spool uses 2.0 of 2.0 MiB, the limit is 100 %.",
} as const;
const SOFT = { state: "soft", reason: "" } as const;
const NORMAL = { state: "normal", reason: "" } as const;

class AlertBench {
  readonly home = freshDirectory();
  readonly clock = new ManualClock();
  readonly events = new RecordedEvents();
  readonly path = join(this.home, "alerts", HARD_ALERT_NAME);

  alert(fs = nodeDurableFsSync): HardAlert {
    const { clock, events } = this;
    return new HardAlert({ fs, alertsDir: join(this.home, "alerts"), clock, events });
  }

  get told(): string[] {
    return this.events.all.map(({ event }) => event);
  }

  /** Hard for so long, looked at every 50 ms. */
  hold(alert: HardAlert, forMs: number): void {
    for (let passedMs = 0; passedMs < forMs; passedMs += 50) {
      alert.update(HARD);
      this.clock.advance(50);
    }
  }
}

describe("the alert that hard lasts", () => {
  it("P4: five minutes of hard raise exactly one, event and file", () => {
    const bench = new AlertBench();
    const alert = bench.alert();
    bench.hold(alert, HARD_MS);
    expect(bench.told).toEqual([]);
    expect(existsSync(bench.path)).toBe(false);
    bench.hold(alert, 3 * HARD_MS);
    expect(bench.told).toEqual(["backpressure_critical", "alert_raised"]);
    expect(bench.events.named("backpressure_critical")).toEqual([{ hard_ms: 300_000 }]);
    const text = readFileSync(bench.path, "utf8");
    expect(text).toContain(HARD.reason);
    expect(text).toContain("since: 2026-03-01T09:30:00.000Z");
  });

  it("P4: hard with a break in between is not five minutes of it", () => {
    const bench = new AlertBench();
    const alert = bench.alert();
    for (let round = 0; round < 5; round++) {
      bench.hold(alert, HARD_MS - 1_000);
      alert.update(SOFT);
    }
    expect(bench.told).toEqual([]);
  });

  it("P4: alerts never cleared", () => {
    const bench = new AlertBench();
    const alert = bench.alert();
    bench.hold(alert, HARD_MS + 100);
    expect(existsSync(bench.path)).toBe(true);
    alert.update(NORMAL);
    expect(existsSync(bench.path)).toBe(false);
    expect(bench.told.at(-1)).toBe("alert_cleared");
    // Once; and the next time is told anew.
    alert.update(NORMAL);
    expect(bench.told).toHaveLength(3);
    bench.hold(alert, HARD_MS + 100);
    expect(bench.told.slice(3)).toEqual(["backpressure_critical", "alert_raised"]);
  });

  it("P4: what a dead process left goes once it is known not to be hard, and not before", () => {
    const bench = new AlertBench();
    mkdirSync(join(bench.home, "alerts"));
    writeFileSync(bench.path, "of a process that was killed");
    const alert = bench.alert();
    bench.hold(alert, 1_000);
    expect(existsSync(bench.path)).toBe(true);
    alert.update(SOFT);
    expect(existsSync(bench.path)).toBe(false);
    expect(bench.told).toEqual(["alert_cleared"]);
  });

  it("P4: the file that another server removed stands again a minute later, while hard lasts", () => {
    const bench = new AlertBench();
    const alert = bench.alert();
    bench.hold(alert, HARD_MS + 100);
    bench.alert().update(NORMAL); // it starts now, and sees less use
    expect(existsSync(bench.path)).toBe(false);
    bench.hold(alert, 61_000);
    expect(existsSync(bench.path)).toBe(true);
    expect(bench.events.named("alert_raised")).toHaveLength(1);
    alert.update(SOFT);
    expect(existsSync(bench.path)).toBe(false);
  });

  it("P4: the file of a server that was killed goes when another one that was hard is over it", () => {
    const bench = new AlertBench();
    const [killed, other] = [bench.alert(), bench.alert()];
    other.update(NORMAL);
    bench.hold(killed, HARD_MS + 100);
    bench.hold(other, 1_000);
    expect(existsSync(bench.path)).toBe(true);
    other.update(SOFT);
    expect(existsSync(bench.path)).toBe(false);
  });

  it("P4: without a file nothing is cleared or told", () => {
    const bench = new AlertBench();
    bench.alert().update(NORMAL);
    expect(bench.told).toEqual([]);
  });

  it("P4: a disk on which it can not be written is told of all the same, and tried each minute", () => {
    const bench = new AlertBench();
    const faulty = faultyFsSync();
    faulty.fail({ method: "replace", errno: "ENOSPC" });
    const alert = bench.alert(faulty.fs);
    bench.hold(alert, HARD_MS + 100);
    expect(bench.told).toEqual(["backpressure_critical"]);
    faulty.fail(undefined);
    bench.hold(alert, 50_000);
    expect(existsSync(bench.path)).toBe(false);
    bench.hold(alert, 20_000);
    expect(bench.told).toEqual(["backpressure_critical", "alert_raised"]);
    expect(existsSync(bench.path)).toBe(true);
  });

  it("X1: a directory of alerts that leads elsewhere is not followed", () => {
    const bench = new AlertBench();
    const elsewhere = freshDirectory();
    symlinkSync(elsewhere, join(bench.home, "alerts"));
    bench.hold(bench.alert(), HARD_MS + 100);
    expect(bench.told).toEqual(["backpressure_critical"]);
    expect(existsSync(join(elsewhere, HARD_ALERT_NAME))).toBe(false);
    rmSync(join(bench.home, "alerts"));
  });
});
