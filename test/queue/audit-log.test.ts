import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { parseAuditLine } from "../../src/queue/audit-line.ts";
import { AUDIT_ALERT_NAME, AUDIT_LIMITS } from "../../src/queue/audit-log.ts";
import { readAudit } from "../../src/queue/audit-read.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { ManualClock } from "../support/manual-clock.ts";
import {
  AUDIT_APPENDED_AT,
  auditUlid,
  freshAuditLayout,
  namesLike,
  numbers,
  openAudit,
  victim,
} from "../support/overflow-audit-bench.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

describe("writing", () => {
  it("Q11: a victim's line says when, which, why and where to, and never its text", () => {
    const layout = freshAuditLayout();
    const clock = new ManualClock();
    openAudit(layout, { clock }).record("dropped", [victim(7)], 101);
    const [text, end, ...more] = readFileSync(layout.auditFile, "utf8").split("\n");
    expect([end, ...more]).toEqual([""]);
    const { crc32, ...line } = JSON.parse(text ?? "");
    expect(crc32).toMatch(/^[0-9a-f]{8}$/);
    expect(line).toEqual({
      ts: new Date(clock.nowMs()).toISOString(),
      reason: "queue_overflow",
      dropped_ulid: auditUlid(7),
      appended_at: AUDIT_APPENDED_AT,
      queue_size_before_prune: 101,
      disposition: "dropped",
      sha256: victim(7).sha256,
    });
    expect(parseAuditLine(text ?? "")).toEqual(line);
  });

  it("Q11: the lines of one call are one write and one fsync, in the order of the victims", () => {
    const layout = freshAuditLayout();
    const { fs, calls } = faultyFsSync();
    const audit = openAudit(layout, { fs, limits: AUDIT_LIMITS });
    audit.record("spilled", [victim(1)], 100);
    calls.length = 0;
    audit.record("spilled", numbers(2, 90).map(victim), 100);
    const made = calls.map(({ method }) => method).filter((m) => m === "write" || m === "fsync");
    expect(made).toEqual(["write", "fsync"]);
    const texts = readFileSync(layout.auditFile, "utf8").trim().split("\n");
    const ids = texts.map((text) => parseAuditLine(text)?.dropped_ulid);
    expect(ids).toEqual(numbers(1, 90).map(auditUlid));
  });

  it("L2: a line is acknowledged after its file, the file's name and the directory's are synced", () => {
    const layout = freshAuditLayout();
    const directories = new Map<number, string>();
    const synced: string[] = [];
    const fs: DurableFsSync = {
      ...nodeDurableFsSync,
      openDirectory: (path) => {
        const fd = nodeDurableFsSync.openDirectory(path);
        directories.set(fd, path);
        return fd;
      },
      close: (fd) => {
        directories.delete(fd);
        nodeDurableFsSync.close(fd);
      },
      fsync: (fd) => {
        synced.push(directories.get(fd) ?? "file");
        nodeDurableFsSync.fsync(fd);
      },
    };
    openAudit(layout, { fs }).record("spilled", [victim(1)], 100);
    expect(synced).toContain(dirname(layout.dir));
    expect(synced.slice(-2)).toEqual([layout.dir, "file"]);
  });

  it("L2: a failing write or fsync is told, and the next call works", () => {
    for (const method of ["write", "fsync"]) {
      const layout = freshAuditLayout();
      const { fs, fail } = faultyFsSync();
      const audit = openAudit(layout, { fs });
      audit.record("spilled", [victim(1)], 100);
      fail({ method, errno: "EIO", nth: 1 });
      expect(() => audit.record("spilled", [victim(2)], 100)).toThrow("EIO");
      fail(undefined);
      audit.record("spilled", [victim(3)], 100);
      const text = readFileSync(layout.auditFile, "utf8");
      expect(text).toContain(auditUlid(3));
    }
  });

  it("opens nothing before the first victim, and closes twice", () => {
    const layout = freshAuditLayout();
    const audit = openAudit(layout);
    audit.record("spilled", [], 100);
    expect(existsSync(layout.dir)).toBe(false);
    audit.close();
    audit.close();
  });

  it("L2: keeps 10 MB a file, 5 backups and 60 MB, readable by the owner alone", () => {
    const mega = 1_048_576;
    expect(AUDIT_LIMITS).toEqual({
      fileBytesMax: 10 * mega,
      backupsMax: 5,
      totalBytesMax: 60 * mega,
    });
    const layout = freshAuditLayout();
    openAudit(layout).record("spilled", [victim(1)], 100);
    expect(statSync(layout.auditFile).mode & 0o777).toBe(0o600);
  });
});

describe("rotating", () => {
  it("L2: rotates, counts what is deleted into the checkpoint, and says so", async () => {
    const layout = freshAuditLayout();
    const events = new RecordedEvents();
    const audit = openAudit(layout, { events });
    for (const n of numbers(1, 9)) audit.record(n % 2 ? "spilled" : "dropped", [victim(n)], 100);
    expect(namesLike(layout, ".overflow-audit.log")).toEqual([
      ".overflow-audit.log",
      ".overflow-audit.log.1",
      ".overflow-audit.log.2",
    ]);
    const { here, gone, goneIncomplete } = await readAudit(nodeDurableFs, layout);
    expect(here).toMatchObject({ files: 3, spilled: 3, dropped: 2, damaged: 0 });
    expect(gone).toMatchObject({ files: 2, spilled: 2, dropped: 2, damaged: 0 });
    expect(goneIncomplete).toBe(false);
    expect(events.named("audit_backup_deleted")).toEqual([
      { bytes: expect.any(Number) },
      { bytes: expect.any(Number) },
    ]);
  });

  it("L2: warns once when the log comes near its limit", () => {
    const layout = freshAuditLayout();
    const events = new RecordedEvents();
    const limits = { fileBytesMax: 620, backupsMax: 5, totalBytesMax: 1_300 };
    const audit = openAudit(layout, { events, limits });
    for (const n of numbers(1, 12)) audit.record("spilled", [victim(n)], 100);
    expect(events.named("audit_near_limit")).toEqual([
      { used_bytes: expect.any(Number), limit_bytes: 1_300 },
    ]);
  });

  it("L3: a rotation that fails raises alert and event, and lines go on", async () => {
    const layout = freshAuditLayout();
    const events = new RecordedEvents();
    const clock = new ManualClock();
    const { fs, fail } = faultyFsSync();
    const audit = openAudit(layout, { events, clock, fs });
    const alert = join(dirname(layout.dir), "alerts", AUDIT_ALERT_NAME);
    audit.record("spilled", [victim(1), victim(2)], 100);
    fail({ method: "rename", errno: "EACCES" });
    audit.record("spilled", [victim(3)], 100);
    expect(events.named("audit_rotation_failed")).toEqual([
      { error: "EACCES", operation: "rename", attempts: 1, retry_in_ms: 60_000 },
    ]);
    expect(readFileSync(alert, "utf8")).toContain("error: EACCES");
    fail(undefined);
    clock.advance(60_000);
    audit.record("spilled", [victim(4)], 100);
    expect(existsSync(alert)).toBe(false);
    expect(events.named("audit_rotation_recovered")).toEqual([{ away_ms: 60_000 }]);
    expect((await readAudit(nodeDurableFs, layout)).here).toMatchObject({ files: 2, spilled: 4 });
  });

  it("L3: the alert goes where it is told to", () => {
    const layout = freshAuditLayout();
    const alertsDir = join(dirname(layout.dir), "elsewhere");
    mkdirSync(alertsDir);
    const { fs, fail } = faultyFsSync();
    const audit = openAudit(layout, { alertsDir, fs });
    audit.record("spilled", [victim(1), victim(2)], 100);
    fail({ method: "rename", errno: "EACCES", pathEnds: "audit.log" });
    audit.record("spilled", [victim(3)], 100);
    expect(readdirSync(alertsDir)).toEqual([AUDIT_ALERT_NAME]);
  });

  it("L2: a checkpoint that can not be written keeps the backup and its lines", async () => {
    for (const method of ["openExclusive", "link", "replace"]) {
      const layout = freshAuditLayout();
      const events = new RecordedEvents();
      const clock = new ManualClock();
      const { fs, fail } = faultyFsSync();
      const audit = openAudit(layout, { events, clock, fs });
      for (const n of numbers(1, 6)) audit.record("spilled", [victim(n)], 100);
      const before = readFileSync(`${layout.auditFile}.2`, "utf8");
      const pathEnds = method === "replace" ? "checkpoint.json" : undefined;
      // The rotation's lock is made first, with the same call.
      const nth = method === "openExclusive" ? 2 : undefined;
      fail({ method, errno: "ENOSPC", ...(pathEnds && { pathEnds }), ...(nth && { nth }) });
      audit.record("spilled", [victim(7)], 100);
      expect(events.named("audit_rotation_failed")).toMatchObject([
        { error: "ENOSPC", operation: "before_delete" },
      ]);
      expect(readFileSync(`${layout.auditFile}.2`, "utf8")).toBe(before);
      expect((await readAudit(nodeDurableFs, layout)).here.spilled).toBe(7);
      fail(undefined);
      clock.advance(60_000);
      audit.record("spilled", [victim(8)], 100);
      const { here, gone } = await readAudit(nodeDurableFs, layout);
      expect([here.spilled, gone.spilled, gone.files]).toEqual([6, 2, 1]);
    }
  });
});
