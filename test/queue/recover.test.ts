import { existsSync, linkSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import { quarantine } from "../../src/queue/quarantine.ts";
import { recover } from "../../src/queue/recover.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

const ULID = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
let layout: QueueLayout;
let clock: ManualClock;
let events: RecordedEvents;

beforeEach(() => {
  layout = queueLayout(join(freshDirectory(), "queue"));
  clock = new ManualClock(Date.now());
  events = new RecordedEvents();
  ensureQueueDirectories(nodeDurableFsSync, layout);
});

const run = (fs = nodeDurableFsSync) => recover({ fs, layout, clock, events });

function put(path: string, ageMs: number): string {
  writeFileSync(path, "");
  const seconds = (clock.nowMs() - ageMs) / 1_000;
  utimesSync(path, seconds, seconds);
  return path;
}

describe("recovery", () => {
  it("Q12: sweeps temp files by age only, and only ours", () => {
    const old = put(join(layout.dir, `.tmp-${ULID}-0123456789ab`), 3_601_000);
    const rewrite = put(join(layout.ingesterDir, "high-water.123456"), 3_601_000);
    const young = put(join(layout.dir, `.tmp-${ULID}-ba9876543210`), 3_500_000);
    const future = put(join(layout.dir, `.tmp-${ULID}-aaaaaaaaaaaa`), -7_200_000);
    const foreign = put(join(layout.dir, ".tmp-notes"), 9_000_000);
    run();
    expect([old, rewrite].map((path) => existsSync(path))).toEqual([false, false]);
    expect([young, future, foreign].map((path) => existsSync(path))).toEqual([true, true, true]);
    expect(events.all.at(-1)).toMatchObject({
      event: "recovery_completed",
      fields: { temp_removed: 2 },
    });
  });

  it("Q12: removes stale marks whose record is gone and keeps all others", async () => {
    const queue = new CaptureQueue({ queueDir: layout.dir });
    const { ulid } = await queue.append({ surface: "x" });
    const stale = put(join(layout.dir, `pending-${ULID}.lock`), 11_000);
    const fresh = put(join(layout.dir, `pending-${ULID.replace("Q", "P")}.lock`), 5_000);
    const failed = put(join(layout.dir, `pending-${ulid}.lock`), 11_000);
    run();
    expect([stale, fresh, failed].map((path) => existsSync(path))).toEqual([false, true, true]);
  });

  it("Q12: finishes a quarantine move that was cut between link and unlink", () => {
    const pending = put(join(layout.dir, `pending-${ULID}.json`), 0);
    linkSync(pending, join(layout.quarantineDir, `pending-${ULID}.json`));
    run();
    expect(existsSync(pending)).toBe(false);
    expect(readdirSync(layout.quarantineDir)).toEqual([`pending-${ULID}.json`]);
    expect(events.all.at(-1)?.fields).toMatchObject({ moves_finished: 1, pending: 0 });
  });

  it("Q12: finishes a cut move also where an envelope of the same id lay there before", () => {
    const pending = put(join(layout.dir, `pending-${ULID}.json`), 0);
    put(join(layout.quarantineDir, `pending-${ULID}.json`), 0);
    linkSync(pending, join(layout.quarantineDir, `pending-${ULID}.2.json`));
    run();
    expect(existsSync(pending)).toBe(false);
    expect(readdirSync(layout.quarantineDir)).toHaveLength(2);
  });

  it("Q12: a leftover that can not be removed stops nobody's start", () => {
    const { fs, fail } = faultyFsSync();
    const stuck = put(join(layout.dir, `.tmp-${ULID}-0123456789ab`), 4_000_000);
    fail({ method: "unlink", errno: "EPERM" });
    run(fs);
    expect(existsSync(stuck)).toBe(true);
    expect(events.all.at(-1)?.fields).toMatchObject({ temp_removed: 0 });
  });

  it("Q12: another file of the same id in quarantine is no half-done move", () => {
    const pending = put(join(layout.dir, `pending-${ULID}.json`), 0);
    put(join(layout.quarantineDir, `pending-${ULID}.json`), 0);
    run();
    expect(existsSync(pending)).toBe(true);
  });

  it("Q12: cut short at any call it can be run again, and ends the same", () => {
    const plant = () => {
      put(join(layout.dir, `.tmp-${ULID}-0123456789ab`), 4_000_000);
      put(join(layout.dir, `pending-${ULID.replace("S", "T")}.lock`), 20_000);
      const pending = put(join(layout.dir, `pending-${ULID}.json`), 0);
      const to = join(layout.quarantineDir, `pending-${ULID}.json`);
      if (!existsSync(to)) linkSync(pending, to);
    };
    plant();
    const counting = faultyFsSync();
    run(counting.fs);
    const total = counting.calls.length;
    expect(total).toBeGreaterThan(10);
    for (let nth = 1; nth <= total; nth++) {
      nodeDurableFsSync.unlink(join(layout.quarantineDir, `pending-${ULID}.json`));
      plant();
      let calls = 0;
      const cut = Object.fromEntries(
        Object.entries(nodeDurableFsSync).map(([method, call]) => [
          method,
          (...args: never[]) => {
            if (++calls === nth) throw new Error("the process dies here");
            return (call as (...all: never[]) => unknown)(...args);
          },
        ]),
      ) as unknown as typeof nodeDurableFsSync;
      try {
        run(cut);
      } catch (error) {
        expect((error as Error).message).toMatch(/dies here|can not be used/);
      }
      run();
      expect(readdirSync(layout.dir).sort()).toEqual([
        "done",
        "ingester",
        "overflow",
        "quarantine",
      ]);
      expect(readdirSync(layout.quarantineDir)).toEqual([`pending-${ULID}.json`]);
    }
  });
});

describe("quarantine", () => {
  const reason = { code: "ENVELOPE_NOT_JSON", message: "why", attempts: 3 } as const;
  const parts = (fs = nodeDurableFsSync) => ({ fs, layout, clock });

  it("Q9: goes reason, link, fsync of the quarantine, unlink", () => {
    put(join(layout.dir, `pending-${ULID}.json`), 0);
    const { fs, methods } = faultyFsSync();
    expect(quarantine(parts(fs), ULID, reason)).toBe(`pending-${ULID}.json`);
    const steps = methods().filter((method) =>
      ["replace", "link", "fsync", "unlink"].includes(method),
    );
    expect(steps).toEqual(["replace", "link", "fsync", "unlink"]);
  });

  it("Q9: at every failing call the envelope keeps a name, and repeating finishes the move", () => {
    for (const method of ["replace", "link", "openDirectory", "fsync", "unlink"]) {
      const pending = put(join(layout.dir, `pending-${ULID}.json`), 0);
      const { fs, fail } = faultyFsSync();
      fail({ method, errno: "EIO" });
      expect(() => quarantine(parts(fs), ULID, reason)).toThrow("EIO");
      const quarantined = join(layout.quarantineDir, `pending-${ULID}.json`);
      expect(existsSync(pending) || existsSync(quarantined)).toBe(true);
      expect(quarantine(parts(), ULID, reason)).toBe(`pending-${ULID}.json`);
      expect([existsSync(pending), existsSync(quarantined)]).toEqual([false, true]);
      nodeDurableFsSync.unlink(quarantined);
    }
  });

  it("Q9: never overwrites another envelope of the same id", () => {
    for (const content of ["first", "second", "third"]) {
      writeFileSync(join(layout.dir, `pending-${ULID}.json`), content);
      quarantine(parts(), ULID, reason);
    }
    expect(readdirSync(layout.quarantineDir).filter((name) => !name.includes("reason"))).toEqual([
      `pending-${ULID}.2.json`,
      `pending-${ULID}.3.json`,
      `pending-${ULID}.json`,
    ]);
  });

  it("Q9: a record that has moved on is not an error", () => {
    expect(quarantine(parts(), ULID, reason)).toBeUndefined();
    mkdirSync(join(layout.dir, `pending-${ULID}.json`));
    expect(quarantine(parts(), ULID, reason)).toBe(`pending-${ULID}.json`);
  });
});
