import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  EVENT_SEVERITY,
  type EventName,
  type MemspoolEvent,
  type Severity,
} from "../../src/events/catalogue.ts";
import { EventHub } from "../../src/events/event-hub.ts";
import { createLogSink } from "../../src/events/log-sink.ts";
import { isErrno } from "../../src/platform/errno.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { faultyFs, faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const SEVERITIES = ["debug", "info", "warning", "error", "critical"];
const NAMES = Object.keys(EVENT_SEVERITY) as EventName[];

/** Fields do not matter to the sink. */
const event = (name: EventName, fields: object = { count: 1 }) =>
  ({ event: name, fields }) as unknown as MemspoolEvent;

function logged(level: Severity | "silent") {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  const sink = createLogSink({ level, stream });
  return { lines, sink, parsed: () => lines.map((line) => JSON.parse(line)) };
}

/** What a descriptor has to give right now. */
function readAvailable(fd: number): string {
  const buffer = Buffer.alloc(65_536);
  let text = "";
  try {
    for (;;) text += buffer.toString("utf8", 0, readSync(fd, buffer));
  } catch (error) {
    if (!isErrno(error, "EAGAIN")) throw error;
    return text;
  }
}

describe("log sink", () => {
  it("L1: writes one JSON line an event, its name and level from the catalogue", () => {
    const { lines, sink, parsed } = logged("debug");
    for (const name of NAMES) sink(event(name));
    expect(lines.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true);
    expect(parsed().map((line) => [line.event, line.level])).toEqual(
      NAMES.map((name) => [name, EVENT_SEVERITY[name]]),
    );
    for (const line of parsed()) {
      expect(Object.keys(line).sort()).toEqual(["count", "event", "level", "pid", "time"]);
      expect(SEVERITIES).toContain(line.level);
      expect(new Date(line.time).toISOString()).toBe(line.time);
      expect(line.pid).toBe(process.pid);
    }
  });

  it("L1: writes no key twice", () => {
    const { lines, sink } = logged("debug");
    sink(event("server_started", { pid: 7, version: "1" }));
    expect(lines[0]?.match(/"pid"/g)).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ pid: 7, version: "1" });
  });

  it("L1: leaves out what is below the level", () => {
    for (const [index, level] of SEVERITIES.entries()) {
      const { sink, parsed } = logged(level as Severity);
      for (const name of NAMES) sink(event(name));
      const wanted = NAMES.filter((name) => SEVERITIES.indexOf(EVENT_SEVERITY[name]) >= index);
      expect(parsed().map((line) => line.event)).toEqual(wanted);
    }
    const { lines, sink } = logged("silent");
    for (const name of NAMES) sink(event(name));
    expect(lines).toEqual([]);
  });

  it("L1: drops lines that nobody reads, within a bound, and goes on when somebody does", async () => {
    const fifo = join(freshDirectory(), "stderr");
    execFileSync("mkfifo", [fifo]);
    const { O_RDWR, O_NONBLOCK } = constants;
    const sink = createLogSink({ level: "debug", stderrFd: openSync(fifo, O_RDWR) });
    for (let n = 0; n < 20_000; n++) {
      sink(event("server_stopping", { n, reason: "x".repeat(100) }));
    }
    const reader = openSync(fifo, O_RDWR | O_NONBLOCK);
    onTestFinished(() => closeSync(reader));
    let text = "";
    const drain = () => {
      text += readAvailable(reader);
      // Fails while lines are under way, that is, until the last one is there.
      sink(event("leader_elected"));
      expect(text).toContain("leader_elected");
    };
    await vi.waitFor(drain, { timeout: 15_000, interval: 5 });
    const stopping = text.split("\n").filter((line) => line.includes("server_stopping"));
    expect(stopping.map((line) => JSON.parse(line).n)).toEqual(stopping.map((_, n) => n));
    expect(stopping.length).toBeGreaterThan(1_000);
    expect(stopping.join("\n").length).toBeLessThan(400_000);
  });

  it("L1: writes to standard error at once if that is a file", () => {
    const file = join(freshDirectory(), "stderr.log");
    const stderrFd = openSync(file, "w");
    onTestFinished(() => closeSync(stderrFd));
    createLogSink({ level: "debug", stderrFd })(event("leader_elected"));
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ event: "leader_elected" });
  });

  it("L1: no text of a record appears in any line, whatever happens to the record", async () => {
    const secret = "Zaubernuss-7731";
    const { lines, sink, parsed } = logged("debug");
    const hub = new EventHub();
    hub.subscribe(sink);
    const disk = faultyFs();
    const diskSync = faultyFsSync();
    const queueDir = join(freshDirectory(), "queue");
    const parts = { queueDir, events: hub, attemptsMax: 1, textBytesMax: 200 };
    const queue = new CaptureQueue({ ...parts, fs: disk.fs, fsSync: diskSync.fs });
    const record = {
      surface: secret,
      cue: `${secret} cue`,
      session_id: `${secret} session`,
      project: `${secret} project`,
      source: `${secret} source`,
      tags: [`${secret} tag`],
      metadata: { [`${secret} key`]: `${secret} value` },
      idempotency_key: `${secret} key`,
    };
    const kept = await queue.append(record);
    for (const method of ["write", "fsync", "link"]) {
      disk.fail({ method, errno: "EIO" });
      await expect(queue.append(record)).rejects.toThrow();
    }
    disk.fail(undefined);
    await expect(queue.append({ surface: secret.repeat(20) })).rejects.toThrow();
    await expect(queue.append({ surface: secret, [secret]: secret } as never)).rejects.toThrow();
    const damaged = await queue.append(record);
    const unknown = await queue.append(record);
    const refused = await queue.append(record);
    const path = (ulid: string) => join(queueDir, `pending-${ulid}.json`);
    const rewrite = (ulid: string, from: string, to: string) =>
      writeFileSync(path(ulid), readFileSync(path(ulid), "utf8").replace(from, to));
    rewrite(damaged.ulid, "cue", "euc");
    rewrite(unknown.ulid, '"schema_version":1', '"schema_version":99');
    const ingest = queue.ingestPending(({ surface }, { ulid }) => {
      if (ulid === kept.ulid) return;
      throw Object.assign(new Error(`refused ${surface}`), { retryable: ulid !== refused.ulid });
    });
    await expect(ingest).rejects.toThrow();
    const heard = new Set(parsed().map((line) => line.event));
    expect([...heard].sort()).toEqual([
      "capture_appended",
      "capture_failed",
      "capture_quarantined",
      "recovery_completed",
      "schema_version_unknown",
    ]);
    expect(lines.join("")).not.toMatch(/zaubernuss|7731/i);
    expect(readFileSync(path(unknown.ulid), "utf8")).toContain(secret);
  });
});
