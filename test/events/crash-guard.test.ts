import { EventEmitter } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CrashFiles, crashReportName } from "../../src/events/crash-files.ts";
import { CrashGuard, type CrashGuardParts, LAST_ANSWERS_MS } from "../../src/events/crash-guard.ts";
import type { CrashReport } from "../../src/events/crash-report.ts";
import type { FlightReport } from "../../src/events/flight-recorder.ts";
import { signalOf } from "../../src/events/signal.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

let dir: string;
let source: EventEmitter;
let clock: ManualClock;
let events: RecordedEvents;
let exits: number[];
let said: string[];

beforeEach(() => {
  vi.useFakeTimers();
  dir = join(freshDirectory(), "crashes");
  source = new EventEmitter();
  clock = new ManualClock();
  events = new RecordedEvents();
  exits = [];
  said = [];
});
afterEach(() => {
  vi.useRealTimers();
});

function guarding(changes: Partial<CrashGuardParts> = {}): CrashGuard {
  const guard = new CrashGuard({
    source,
    files: new CrashFiles(nodeDurableFsSync, dir),
    clock,
    events,
    flight: () => ({ started_at: "", dropped: 0, signals: [], snapshots: [] }),
    facts: { version: "0.1.0", node: "v20", platform: "linux", pid: 7 },
    ownMessage: () => undefined,
    say: (line) => said.push(line),
    flush: (done) => done(),
    exit: (code) => exits.push(code),
    ...changes,
  });
  guard.start();
  return guard;
}

const failing = () => {
  throw new Error("this failed, too");
};

describe("the end of a process", () => {
  it.each(["uncaughtException", "unhandledRejection"])(
    "P10: %s is reported and ends it",
    (name) => {
      guarding();
      source.emit(name, new TypeError("a"));
      expect(exits).toContain(1);
      const [report = ""] = readdirSync(dir);
      expect(events.named("crash_reported")).toEqual([
        { error: "TypeError", thread: "main", fatal: true, report },
      ]);
      expect(said).toEqual([
        `memspool: TypeError was thrown in thread main and caught by nobody; this process ends; what was acknowledged is on disk. Report: crashes/${report}`,
      ]);
    },
  );

  it("P10: the report holds the stack, the last signals and the ring of snapshots", () => {
    const signal = signalOf({ event: "server_started", fields: { pid: 1, version: "1" } }, 0);
    const snapshots = [{ at: "2026-03-01T09:30:00.000Z", missed: 0, depth: 3 }];
    const report = { started_at: "", dropped: 0, signals: [signal], snapshots };
    guarding({ flight: () => report as unknown as FlightReport });
    source.emit("uncaughtException", new TypeError("a"));
    const [name = ""] = readdirSync(dir);
    const written = JSON.parse(readFileSync(join(dir, name), "utf8")) as CrashReport;
    expect(written).toMatchObject({ signals: [signal], snapshots });
    expect(written.error.frames[0]).toContain("crash-guard.test.ts");
  });

  it("P10: a client that does not read its answers delays it by 250 ms at most", () => {
    guarding({ flush: () => {} });
    source.emit("uncaughtException", new Error("a"));
    vi.advanceTimersByTime(LAST_ANSWERS_MS - 1);
    expect(exits).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(exits).toEqual([1]);
  });

  it.each<[string, Partial<CrashGuardParts>]>([
    ["flight", { flight: failing }],
    ["say", { say: failing }],
    ["events", { events: { emit: failing } }],
    ["clock", { clock: { nowMs: failing, monotonicMs: () => 0 } }],
    ["ownMessage", { ownMessage: failing }],
    ["flush", { flush: failing }],
  ])("P10: comes although the guard itself fails (%s)", (_name, changes) => {
    guarding(changes);
    source.emit("uncaughtException", new Error("a"));
    vi.advanceTimersByTime(LAST_ANSWERS_MS);
    expect(exits).toContain(1);
  });

  it("P10: what is thrown meanwhile writes nothing more and does not put it off", () => {
    guarding({ flush: () => {} });
    source.emit("uncaughtException", new Error("a"));
    clock.advance(61_000);
    source.emit("uncaughtException", new Error("b"));
    source.emit("unhandledRejection", new Error("c"));
    vi.advanceTimersByTime(LAST_ANSWERS_MS);
    expect(exits).toEqual([1]);
    expect(readdirSync(dir)).toHaveLength(1);
  });

  it("P10: after stop nothing is caught any more", () => {
    guarding().stop();
    expect(source.listenerCount("uncaughtException")).toBe(0);
    expect(source.listenerCount("unhandledRejection")).toBe(0);
  });
});

describe("a worker thread's error", () => {
  it("P10: is reported and ends nothing", () => {
    const guard = guarding();
    guard.workerFailed("ingester", new RangeError("a"));
    expect(events.named("crash_reported")).toMatchObject([
      { error: "RangeError", thread: "ingester", fatal: false },
    ]);
    vi.advanceTimersByTime(LAST_ANSWERS_MS);
    expect(exits).toEqual([]);
  });

  it("P10: whatever the guard meets, who told of it goes on", () => {
    const guard = guarding({ say: failing, events: { emit: failing } });
    expect(() => guard.workerFailed("store", "text")).not.toThrow();
  });
});

describe("reports", () => {
  const write = (nowMs: number, pid = 1) =>
    new CrashFiles(nodeDurableFsSync, dir).write(nowMs, pid, () => Buffer.from("{}"));

  it("P10: at most one a minute, whichever process wrote the last", () => {
    const start = clock.nowMs();
    expect(write(start)).toEqual({ report: crashReportName(start, 1) });
    expect(write(start + 59_999, 2)).toEqual({ why: "recent" });
    expect(write(start + 60_000, 3)).toEqual({ report: crashReportName(start + 60_000, 3) });
    expect(readdirSync(dir)).toHaveLength(2);
  });

  it("P10: one that a wrong clock dated far ahead silences nobody", () => {
    const start = clock.nowMs();
    write(start + 86_400_000);
    expect(write(start)).toHaveProperty("report");
    expect(write(start + 1)).toEqual({ why: "recent" });
  });

  it("P10: nor is a new report the first to go where many lie ahead", () => {
    const start = clock.nowMs();
    for (let day = 1; day <= 10; day++) write(start + day * 86_400_000);
    const { report = "" } = write(start);
    expect(existsSync(join(dir, report))).toBe(true);
    expect(readdirSync(dir)).toHaveLength(10);
  });

  it("P10: a full disk leaves no part of a report, and says what it was", () => {
    const full = {
      ...nodeDurableFsSync,
      write: () => {
        throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      },
    };
    const files = new CrashFiles(full, dir);
    expect(files.write(0, 1, () => Buffer.from("{}"))).toEqual({ why: "ENOSPC" });
    expect(readdirSync(dir)).toEqual([]);
  });

  it("P10: a report is synced, and the directory too, before its name is told", () => {
    const calls: string[] = [];
    const traced = new Proxy(nodeDurableFsSync, {
      get: (fs, name) => {
        calls.push(String(name));
        return Reflect.get(fs, name);
      },
    });
    new CrashFiles(traced, dir).write(0, 1, () => Buffer.from("{}"));
    const steps = calls.filter((name) => /openExclusive|write|fsync|openDirectory/.test(name));
    expect(steps).toEqual(["openExclusive", "write", "fsync", "openDirectory", "fsync"]);
  });

  it("P10: other files in the directory are neither counted nor removed", () => {
    mkdirSync(dir);
    writeFileSync(join(dir, "crash-notes.txt"), "mine");
    for (let hour = 0; hour < 12; hour++) write(hour * 3_600_000);
    expect(readdirSync(dir)).toHaveLength(11);
    expect(existsSync(join(dir, "crash-notes.txt"))).toBe(true);
    expect(statSync(join(dir, crashReportName(11 * 3_600_000, 1))).mode & 0o777).toBe(0o600);
  });
});
