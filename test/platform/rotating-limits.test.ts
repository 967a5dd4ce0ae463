import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkLimits,
  planRotation,
  type RotationLimits,
  readLogFileName,
} from "../../src/platform/rotation-policy.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { allLines, LIMITS, line, linesOf, logNames, openLogBench } from "../support/log-bench.ts";

const logPath = () => join(freshDirectory(), "m.log");
/** Two lines a file, five backups: the shape of the defaults. */
const SMALL: RotationLimits = { fileBytesMax: 20, backupsMax: 5, totalBytesMax: 120 };

describe("limits", () => {
  it("L2: keeps five backups, deletes only the oldest, and never passes the cap", () => {
    const path = logPath();
    const { log, notices } = openLogBench({ path, limits: SMALL });
    for (let n = 1; n <= 100; n++) {
      log.append(line("a", n));
      const kept = logNames(path);
      const bytes = kept.reduce((sum, name) => sum + statSync(join(path, "..", name)).size, 0);
      expect(bytes).toBeLessThanOrEqual(SMALL.totalBytesMax);
      const first = Math.max(1, n - 11 + (n % 2 === 0 ? 0 : 1));
      expect(allLines(path)).toEqual(
        Array.from({ length: n - first + 1 }, (_, i) => line("a", first + i)),
      );
    }
    expect(logNames(path)).toEqual(["m.log", ...[1, 2, 3, 4, 5].map((n) => `m.log.${n}`)]);
    const deleted = notices.filter(({ kind }) => kind === "backup_deleted");
    expect(deleted).toHaveLength(44);
    expect(deleted[0]).toEqual({ kind: "backup_deleted", bytes: 20 });
  });

  it("L2: one warning when 90 % of the cap is reached, and no more of them", () => {
    const path = logPath();
    const { log, notices } = openLogBench({ path, limits: SMALL });
    const warnings = () => notices.filter(({ kind }) => kind === "near_limit");
    for (let n = 1; n <= 10; n++) log.append(line("a", n));
    expect(warnings()).toEqual([]);
    log.append(line("a", 11));
    expect(warnings()).toEqual([{ kind: "near_limit", usedBytes: 110, limitBytes: 120 }]);
    for (let n = 12; n <= 60; n++) log.append(line("a", n));
    expect(warnings()).toHaveLength(1);
  });

  it("L2: backups that are larger than they should be make the oldest go before the file is full", () => {
    const path = logPath();
    for (const slot of [1, 2, 3]) writeFileSync(`${path}.${slot}`, `${"x".repeat(34)}\n`);
    const { log } = openLogBench({ path, limits: SMALL });
    log.append(line("a", 1));
    expect(logNames(path)).toEqual(["m.log", "m.log.1", "m.log.2", "m.log.3"]);
    log.append(line("a", 2));
    expect(logNames(path)).toEqual(["m.log", "m.log.1", "m.log.2"]);
    expect(linesOf(path)).toHaveLength(2);
  });

  it("L2: a file that grew past the cap is rotated and stays until the next rotation", () => {
    const path = logPath();
    writeFileSync(path, `${"x".repeat(299)}\n`);
    const { log } = openLogBench({ path, limits: SMALL });
    log.append(line("a", 1));
    log.append(line("a", 2));
    expect(statSync(`${path}.1`).size).toBe(300);
    log.append(line("a", 3));
    expect(allLines(path)).toEqual([1, 2, 3].map((n) => line("a", n)));
  });

  it("L2: backups beyond a lowered number go with the next rotation, and holes are filled first", () => {
    const path = logPath();
    for (const slot of [1, 2, 4, 6, 9]) writeFileSync(`${path}.${slot}`, `old${slot}\n`);
    const limits = { ...LIMITS, backupsMax: 4 };
    const { log } = openLogBench({ path, limits });
    for (let n = 1; n <= 3; n++) log.append(line("a", n));
    expect(logNames(path)).toEqual(["m.log", "m.log.1", "m.log.2", "m.log.3", "m.log.4"]);
    expect([2, 3, 4].map((n) => linesOf(`${path}.${n}`)[0])).toEqual(["old1", "old2", "old4"]);
  });

  it("L2: the hook hears of a backup before it goes, and a throw keeps it", () => {
    const path = logPath();
    const heard: string[] = [];
    let refuse = true;
    const { log, time, notices } = openLogBench({
      path,
      limits: { ...SMALL, backupsMax: 1 },
      beforeDelete: (backup) => {
        if (refuse) throw new Error("no checkpoint");
        heard.push(readFileSync(backup, "utf8"));
      },
    });
    for (let n = 1; n <= 7; n++) log.append(line("a", n));
    expect(allLines(path)).toHaveLength(7);
    expect(logNames(path)).toEqual(["m.log", "m.log.1"]);
    expect(notices).toEqual([
      {
        kind: "rotation_failed",
        error: "unknown",
        operation: "before_delete",
        attempts: 1,
        retryInMs: 60_000,
      },
    ]);
    refuse = false;
    time.advance(60_000);
    log.append(line("a", 8));
    expect(heard).toEqual([`${line("a", 1)}\n${line("a", 2)}\n`]);
    expect(allLines(path)).toEqual([3, 4, 5, 6, 7, 8].map((n) => line("a", n)));
  });

  it("L2: a backup that gets a late line while it is looked at for the last time is kept", () => {
    const path = logPath();
    const heard: number[] = [];
    const { log, time, notices } = openLogBench({
      path,
      limits: { ...SMALL, backupsMax: 1 },
      beforeDelete: (backup) => {
        heard.push(linesOf(backup).length);
        if (heard.length === 1) appendFileSync(backup, `${line("z", 1)}\n`);
      },
    });
    for (let n = 1; n <= 5; n++) log.append(line("a", n));
    expect(linesOf(`${path}.1`)).toEqual([1, 2].map((n) => line("a", n)).concat(line("z", 1)));
    time.advance(100);
    expect(heard).toEqual([2, 3]);
    expect(linesOf(`${path}.1`)).toEqual([3, 4, 5].map((n) => line("a", n)));
    expect(notices).toEqual([{ kind: "backup_deleted", bytes: 30 }]);
  });

  it("X1: something else under a backup's name is neither followed nor replaced", () => {
    const path = logPath();
    mkdirSync(`${path}.1`);
    const { log, notices } = openLogBench({ path });
    for (let n = 1; n <= 5; n++) log.append(line("a", n));
    expect(statSync(`${path}.1`).isDirectory()).toBe(true);
    expect(linesOf(path)).toHaveLength(5);
    expect(notices).toMatchObject([{ kind: "rotation_failed", error: "UNSAFE_PATH" }]);
  });
});

describe("the plan", () => {
  it("L2: keeps number and size within the limits and gives no file another's name", () => {
    const sizes = fc.integer({ min: 0, max: 30 });
    const slots = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 8 });
    fc.assert(
      fc.property(sizes, slots, sizes, fc.nat(30), (current, slotNumbers, bytes, extra) => {
        const limits = { fileBytesMax: 20, backupsMax: 3, totalBytesMax: 40 + extra };
        const backups = slotNumbers.map((slot) => ({ slot, bytes }));
        const { drops, moves } = planRotation(current, backups, 10, limits);
        const files = new Map([[0, current], ...backups.map((b) => [b.slot, b.bytes] as const)]);
        for (const slot of drops) {
          expect(slot).toBe(Math.max(...files.keys()));
          files.delete(slot);
        }
        for (const slot of moves) {
          expect(files.has(slot + 1)).toBe(false);
          files.set(slot + 1, files.get(slot) as number);
          files.delete(slot);
        }
        const kept = [...files].filter(([slot]) => slot > 0);
        expect(kept.length).toBeLessThanOrEqual(3);
        expect(moves.length > 0).toBe(current > 0 && current + 10 > 20);
        const total = [...files.values()].reduce((a, b) => a + b, 10);
        if (kept.length > 1) expect(total).toBeLessThanOrEqual(limits.totalBytesMax);
      }),
    );
  });

  it("L2: limits that can not hold are a programmer's mistake", () => {
    const good = { fileBytesMax: 10, backupsMax: 1, totalBytesMax: 20 };
    expect(() => checkLimits(good)).not.toThrow();
    for (const change of [
      { fileBytesMax: 0 },
      { backupsMax: 0 },
      { backupsMax: 101 },
      { backupsMax: 1.5 },
      { totalBytesMax: 19 },
    ]) {
      expect(() => checkLimits({ ...good, ...change })).toThrow(TypeError);
    }
  });

  it("L2: only names of the log's own making count as its files", () => {
    const kinds = Object.fromEntries(
      [
        "m.log",
        "m.log.1",
        "m.log.01",
        "m.log.0",
        "m.log.1000",
        "m.log.1.gz",
        "m.log.lock",
        "m.log.lock.0123456789ab",
        "m.log.moving-3-0123456789ab",
        "m.log.moving-3-0123",
        "other.log.1",
      ].map((name) => [name, readLogFileName("m.log", name)?.kind]),
    );
    expect(Object.entries(kinds).filter(([, kind]) => kind !== undefined)).toEqual([
      ["m.log.1", "backup"],
      ["m.log.lock.0123456789ab", "old_lock"],
      ["m.log.moving-3-0123456789ab", "moving"],
    ]);
  });
});
