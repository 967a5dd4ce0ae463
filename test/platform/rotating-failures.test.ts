import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { COOL_DOWN_MS } from "../../src/platform/rotation-policy.ts";
import { type Faulty, faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { allLines, line, linesOf, logNames, openLogBench } from "../support/log-bench.ts";

interface FaultyBench extends ReturnType<typeof openLogBench> {
  readonly path: string;
  readonly faulty: Faulty<DurableFsSync>;
  /** How often a method was called since the start. */
  readonly count: (method: string) => number;
}

/** A log whose next line makes it rotate. */
function fullLog(): FaultyBench {
  const path = join(freshDirectory(), "m.log");
  const faulty = faultyFsSync();
  const bench = openLogBench({ path, fs: faulty.fs });
  for (let n = 1; n <= 2; n++) bench.log.append(line("a", n));
  const count = (method: string) => faulty.methods().filter((name) => name === method).length;
  return { ...bench, path, faulty, count };
}

it("L2: a close that fails is nobody's failure", () => {
  const { log, faulty, count } = fullLog();
  faulty.fail({ method: "close", errno: "EIO", afterwards: true });
  expect(() => log.close()).not.toThrow();
  expect(count("close")).toBe(1);
});

describe("errors that may pass", () => {
  it.each(["EAGAIN", "EBUSY", "ETXTBSY"])(
    "L3: %s is tried 3 times, after 0.1 s and 0.2 s, while lines go on into the current file",
    (errno) => {
      const { log, time, notices, alertPath, path, faulty, count } = fullLog();
      faulty.fail({ method: "rename", errno });
      log.append(line("a", 3));
      expect([count("rename"), time.plannedCount]).toEqual([1, 1]);
      for (let n = 4; n <= 50; n++) log.append(line("a", n));
      time.advance(99);
      expect(count("rename")).toBe(1);
      time.advance(1);
      expect(count("rename")).toBe(2);
      time.advance(199);
      log.append(line("a", 51));
      expect([count("rename"), notices, existsSync(alertPath)]).toEqual([2, [], false]);
      time.advance(1);
      expect([count("rename"), time.plannedCount]).toEqual([3, 0]);
      expect(notices).toEqual([
        {
          kind: "rotation_failed",
          error: errno,
          operation: "rename",
          attempts: 3,
          retryInMs: COOL_DOWN_MS,
        },
      ]);
      expect(readFileSync(alertPath, "utf8")).toContain("attempts: 3\n");
      expect(linesOf(path)).toHaveLength(51);
    },
  );

  it("L3: a second attempt that succeeds rotates without waiting for a line, and alerts nobody", () => {
    const { log, time, notices, alertPath, path, faulty } = fullLog();
    faulty.fail({ method: "rename", nth: 1, errno: "EBUSY" });
    log.append(line("a", 3));
    time.advance(100);
    expect(logNames(path)).toEqual(["m.log.1"]);
    log.append(line("a", 4));
    expect(linesOf(`${path}.1`)).toHaveLength(3);
    expect(linesOf(path)).toEqual([line("a", 4)]);
    expect([notices, existsSync(alertPath)]).toEqual([[], false]);
  });

  it("L3: a closed log does not try again", () => {
    const { log, time, faulty } = fullLog();
    faulty.fail({ method: "rename", errno: "EBUSY" });
    log.append(line("a", 3));
    log.close();
    expect(time.plannedCount).toBe(0);
  });
});

describe("errors that will not pass", () => {
  it.each(["ENOENT", "EACCES", "ENOSPC", "EROFS", "EIO", "EWEIRD"])(
    "L3: a failed rotation retried on every line: %s is tried once, then comes a cool-down",
    (errno) => {
      const { log, time, notices, alertPath, path, faulty, count } = fullLog();
      faulty.fail({ method: "rename", errno });
      const before = Date.now();
      for (let n = 3; n <= 100; n++) log.append(line("a", n));
      expect([count("rename"), time.plannedCount]).toEqual([1, 0]);
      expect(notices).toMatchObject([{ kind: "rotation_failed", error: errno, attempts: 1 }]);
      const alert = readFileSync(alertPath, "utf8");
      expect(alert).toContain(`error: ${errno}\noperation: rename\nattempts: 1\n`);
      expect(alert).toContain(`file: ${path}\n`);
      const alertMs = Date.parse(/^time: (.+)$/m.exec(alert)?.[1] ?? "");
      expect(Math.abs(alertMs - before)).toBeLessThan(60_000);
      expect(linesOf(path)).toHaveLength(100);
    },
  );

  it("L3: after the cool-down the next line tries again; success removes the alert", () => {
    const { log, time, notices, alertPath, path, faulty, count } = fullLog();
    faulty.fail({ method: "rename", errno: "EACCES" });
    log.append(line("a", 3));
    time.advance(COOL_DOWN_MS - 1);
    log.append(line("a", 4));
    expect(count("rename")).toBe(1);
    time.advance(1);
    log.append(line("a", 5));
    expect(count("rename")).toBe(2);
    expect(notices).toHaveLength(2);
    faulty.fail(undefined);
    time.advance(COOL_DOWN_MS);
    log.append(line("a", 6));
    expect(logNames(path)).toEqual(["m.log", "m.log.1"]);
    expect(existsSync(alertPath)).toBe(false);
    expect(notices[2]).toEqual({ kind: "rotation_recovered", awayMs: 2 * COOL_DOWN_MS });
    expect(allLines(path)).toEqual([1, 2, 3, 4, 5, 6].map((n) => line("a", n)));
  });

  it("L3: another process that makes room ends the alert, too", () => {
    const { log, notices, alertPath, path, faulty } = fullLog();
    faulty.fail({ method: "rename", errno: "EACCES" });
    log.append(line("a", 3));
    expect(existsSync(alertPath)).toBe(true);
    openLogBench({ path, alertPath }).log.append(line("b", 1));
    expect(existsSync(alertPath)).toBe(false);
    log.append(line("a", 4));
    expect(notices.map(({ kind }) => kind)).toEqual(["rotation_failed", "rotation_recovered"]);
    expect(linesOf(path)).toEqual([line("b", 1), line("a", 4)]);
  });

  it("L3: an alert of a process that has ended is removed by the next rotation", () => {
    const { log, alertPath } = fullLog();
    mkdirSync(join(alertPath, ".."));
    writeFileSync(alertPath, "left");
    log.append(line("a", 3));
    expect(existsSync(alertPath)).toBe(false);
  });

  it.each([
    ["openExclusive", "lock"],
    ["names", "list"],
    ["rename", "rename"],
    ["link", "link"],
    ["unlink", "unlink"],
  ])("L3: a failing %s is told as the operation %s, and loses no line", (method, operation) => {
    const { log, time, notices, path, faulty } = fullLog();
    faulty.fail({ method, errno: "EIO" });
    for (let n = 3; n <= 9; n++) log.append(line("a", n));
    expect(notices).toMatchObject([{ kind: "rotation_failed", operation, error: "EIO" }]);
    // Only once the file has its new name already do lines go on into another one.
    expect(linesOf(path)).toHaveLength(method === "unlink" ? 7 : 9);
    faulty.fail(undefined);
    time.advance(COOL_DOWN_MS);
    for (let n = 10; n <= 12; n++) log.append(line("a", n));
    expect(allLines(path)).toEqual(Array.from({ length: 12 }, (_, i) => line("a", i + 1)));
    expect(logNames(path).filter((name) => name.includes("moving"))).toEqual([]);
  });

  it("L3: a directory that may not be written or searched any more does not stop the lines", (context) => {
    if (process.getuid?.() === 0) context.skip("root may write everywhere");
    const { log, path, alertPath, notices } = fullLog();
    mkdirSync(join(alertPath, ".."));
    chmodSync(join(path, ".."), 0);
    try {
      for (let n = 3; n <= 5; n++) log.append(line("a", n));
    } finally {
      chmodSync(join(path, ".."), 0o700);
    }
    expect(notices).toMatchObject([{ kind: "rotation_failed", error: "EACCES" }]);
    expect(linesOf(path)).toHaveLength(5);
  });

  it("L3: when not even looking or opening works, lines go on into the file that is open", () => {
    const { log, path, faulty } = fullLog();
    faulty.fail({ method: "facts", pathEnds: "m.log", errno: "EACCES" });
    log.append(line("a", 3));
    expect(linesOf(path)).toHaveLength(3);
    faulty.fail({ method: "openLog", errno: "ENOSPC" });
    log.append(line("a", 4)); // rotates, and no new file can be made
    expect(linesOf(`${path}.1`)).toHaveLength(4);
    faulty.fail(undefined);
    log.append(line("a", 5));
    expect(linesOf(path)).toEqual([line("a", 5)]);
  });
});

describe("the alert file", () => {
  it("X1: is 0600 in a directory of 0700", () => {
    const { log, alertPath, faulty } = fullLog();
    faulty.fail({ method: "rename", errno: "EACCES" });
    log.append(line("a", 3));
    const modes = [alertPath, join(alertPath, "..")].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o600, 0o700]);
  });

  it("X1: a symlink in place of the alert or of its directory is not written through", () => {
    const elsewhere = freshDirectory();
    writeFileSync(join(elsewhere, "ALERT.txt"), "theirs");
    const viaFile = fullLog();
    mkdirSync(join(viaFile.alertPath, ".."));
    symlinkSync(join(elsewhere, "ALERT.txt"), viaFile.alertPath);
    const viaDirectory = fullLog();
    symlinkSync(elsewhere, join(viaDirectory.alertPath, ".."));
    for (const { log, time, faulty } of [viaFile, viaDirectory]) {
      faulty.fail({ method: "rename", errno: "EACCES" });
      log.append(line("a", 3));
      faulty.fail(undefined);
      time.advance(COOL_DOWN_MS);
      log.append(line("a", 4));
    }
    expect(readdirSync(elsewhere)).toEqual(["ALERT.txt"]);
    expect(readFileSync(join(elsewhere, "ALERT.txt"), "utf8")).toBe("theirs");
  });

  it("L3: an alert that can not be written stops nothing, and the notice comes all the same", () => {
    const path = join(freshDirectory(), "m.log");
    const fs: DurableFsSync = {
      ...nodeDurableFsSync,
      rename: () => {
        throw Object.assign(new Error("EROFS"), { code: "EROFS" });
      },
      replace: () => {
        throw Object.assign(new Error("EROFS"), { code: "EROFS" });
      },
    };
    const { log, notices } = openLogBench({ path, fs });
    for (let n = 1; n <= 5; n++) log.append(line("a", n));
    expect(linesOf(path)).toHaveLength(5);
    expect(notices).toMatchObject([{ kind: "rotation_failed", error: "EROFS" }]);
  });
});
