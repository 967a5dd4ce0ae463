import { describe, expect, it } from "vitest";
import { judgeBacklog } from "../../src/health/check-backlog.ts";
import { checkConfiguration } from "../../src/health/check-configuration.ts";
import { judgeFileSystem } from "../../src/health/check-file-system.ts";
import { judgeForgetting } from "../../src/health/check-forgetting.ts";
import { judgeFreeSpace, type SpaceLimits } from "../../src/health/check-free-space.ts";
import { judgeLease } from "../../src/health/check-lease.ts";
import { judgeQuarantine } from "../../src/health/check-quarantine.ts";
import { judgeStore } from "../../src/health/check-store.ts";
import { exitCodeOf, healthReport } from "../../src/health/report.ts";
import { runChecks } from "../../src/health/run-checks.ts";
import type { HealthCheck, StatusReport } from "../../src/memory/memory.ts";
import { DEFAULT_SETTINGS } from "../support/default-settings.ts";
import { okStatus } from "../support/fake-memory.ts";

const MIB = 1_048_576;

function status(queue: Partial<StatusReport["queue"]>, ingester = {}) {
  const ok = okStatus();
  return { queue: { ...ok.queue, ...queue }, ingester: { ...ok.ingester, ...ingester } };
}

describe("configuration", () => {
  it("H1: an unresolvable configuration is failing with the resolver's own words", () => {
    const error = { message: "queue.maxAttempts is 0" };
    const result = checkConfiguration({ set: {}, warnings: [], error });
    expect(result).toMatchObject({ status: "failing", detail: "queue.maxAttempts is 0" });
    expect(result.advice).toBeTruthy();
  });

  it("H1: names settings and their sources, not their values", () => {
    const result = checkConfiguration({ set: { project: "environment" }, warnings: [] });
    expect(result).toEqual({
      name: "configuration",
      status: "ok",
      detail: "set: project (environment)",
    });
    expect(checkConfiguration({ set: {}, warnings: ["x is ignored"] }).status).toBe("degraded");
  });
});

describe("forgetting", () => {
  it("H1: an order that is held up for minutes is degraded, and says what to close or start", () => {
    const leader = { pid: 7, host: "h", since: "2026-03-01T09:30:00.000Z" };
    const order = (oldest_forgetting_age_ms: number, ingester = {}) =>
      judgeForgetting(status({ forgetting: 2, oldest_forgetting_age_ms }, ingester));
    expect(judgeForgetting(status({})).detail).toBe("nothing is to be forgotten");
    expect(order(300_000)).toEqual({
      name: "forgetting",
      status: "ok",
      detail: "2 orders are being carried out, the oldest for 5 min",
    });
    expect(order(300_001, { leader })).toMatchObject({
      status: "degraded",
      advice: expect.stringContaining("End it"),
    });
    expect(order(300_001, { leader: null }).advice).toContain("memspool drain");
  });
});

describe("file system", () => {
  it.each([
    ["ext4", 0xef53, "ok"],
    ["xfs", 0x58465342, "ok"],
    ["btrfs", 0x9123683e, "ok"],
    ["overlay", 0x794c7630, "ok"],
    ["tmpfs", 0x01021994, "degraded"],
    ["nfs", 0x6969, "degraded"],
    ["fuse", 0x65735546, "degraded"],
    ["cifs", 0xff534d42, "degraded"],
  ])("H1: knows %s", (label, type, expected) => {
    const result = judgeFileSystem(type, "linux");
    expect(result.detail).toContain(label);
    expect(result.status).toBe(expected);
    // statfs gives the number signed on some platforms.
    expect(judgeFileSystem(type | 0, "linux")).toEqual(result);
  });

  it("H1: an unknown kind and another platform are no fault", () => {
    expect(judgeFileSystem(0x1234, "linux")).toMatchObject({ status: "ok" });
    expect(judgeFileSystem(0x6969, "darwin")).toMatchObject({ status: "ok" });
  });
});

describe("free space", () => {
  const judge = (
    freeMib: number,
    freeInodes = 1e6,
    totalInodes = 1e6,
    limits: SpaceLimits = DEFAULT_SETTINGS,
  ) => judgeFreeSpace({ freeBytes: freeMib * MIB, freeInodes, totalInodes }, limits).status;

  it("H1: is failing below the hard limits, at them degraded, ok with room", () => {
    expect([judge(63.9), judge(64), judge(255), judge(256)]).toEqual([
      "failing",
      "degraded",
      "degraded",
      "ok",
    ]);
    expect([judge(1e4, 999), judge(1e4, 1_000), judge(1e4, 4_000)]).toEqual([
      "failing",
      "degraded",
      "ok",
    ]);
  });

  it("H1: goes by the settings at which captures wait, and warns who has switched them off", () => {
    const more = { "spool.freeMbMin": 1_000, "spool.freeInodesMin": 5_000 };
    expect([judge(999, 1e6, 1e6, more), judge(1e5, 4_999, 1e6, more)]).toEqual([
      "failing",
      "failing",
    ]);
    expect([judge(3_999, 1e6, 1e6, more), judge(4_000, 1e6, 1e6, more)]).toEqual([
      "degraded",
      "ok",
    ]);
    const none = { "spool.freeMbMin": 0, "spool.freeInodesMin": 0 };
    expect([judge(1, 1, 1e6, none), judge(256, 4_000, 1e6, none)]).toEqual(["degraded", "ok"]);
    const usual = { freeBytes: 64 * MIB, freeInodes: 1_000, totalInodes: 1 };
    expect(judgeFreeSpace(usual)).toEqual(judgeFreeSpace(usual, DEFAULT_SETTINGS));
  });

  it("H1: a file system without an inode table has no inode limit", () => {
    expect(judge(1e4, 0, 0)).toBe("ok");
  });
});

describe("store", () => {
  it("H1: settings that read back wrong or damage are failing", () => {
    const answer = {
      sample: { lookedFor: 0, nowhere: 0 },
      checks: [
        { name: "synchronous", ok: true, detail: "FULL" },
        { name: "integrity", ok: false, detail: "2 pages damaged" },
      ],
    };
    expect(judgeStore(answer)).toMatchObject({
      status: "failing",
      detail: "integrity: 2 pages damaged",
    });
    expect(judgeStore({ ...answer, checks: answer.checks.slice(0, 1) })).toMatchObject({
      status: "ok",
      detail: "synchronous: FULL",
    });
  });

  it("H1: a store that is away is degraded, one that can not be used is failing", () => {
    const away = { message: "busy", retryable: true };
    expect(judgeStore({ error: away }).status).toBe("degraded");
    expect(judgeStore({ error: { ...away, retryable: false } }).status).toBe("failing");
    const because = (reason: string) => judgeStore({ error: { ...away, details: { reason } } });
    expect(because("busy").status).toBe("degraded");
    expect(because("corrupt").status).toBe("failing"); // no waiting mends it
    expect(because("notadb").status).toBe("failing");
    const sample = { lookedFor: 2, nowhere: 0 };
    expect(judgeStore({ absent: true, sample }).status).toBe("ok");
  });

  it("I8: a store that lacks what was acknowledged is degraded, be it gone or another", () => {
    const sample = { lookedFor: 12, nowhere: 5 };
    for (const answer of [{ absent: true, sample } as const, { checks: [], sample }]) {
      expect(judgeStore(answer)).toMatchObject({
        status: "degraded",
        detail: expect.stringContaining("5 of 12 acknowledged records"),
        advice: expect.stringContaining("memspool rebuild"),
      });
    }
  });
});

describe("ingester, backlog, quarantine", () => {
  const leader = { pid: 7, host: "h", since: "2026-03-01T00:00:00.000Z" };

  it("H1: records that wait while nobody drains are degraded once a take-over is overdue", () => {
    expect(judgeLease(status({}, { leader })).status).toBe("ok");
    expect(judgeLease(status({})).status).toBe("ok");
    expect(judgeLease(status({ depth: 1, oldest_age_ms: 15_000 })).status).toBe("ok");
    expect(judgeLease(status({ depth: 1, oldest_age_ms: 15_001 }))).toMatchObject({
      status: "degraded",
      advice: expect.stringContaining("memspool drain"),
    });
  });

  it("H1: an old backlog is degraded", () => {
    expect(judgeBacklog(status({ depth: 3, oldest_age_ms: 60_000 })).status).toBe("ok");
    expect(judgeBacklog(status({ depth: 3, oldest_age_ms: 60_001 })).status).toBe("degraded");
  });

  it("H1: an ingester that waits after a failure is degraded, however young the backlog is", () => {
    const since = "2026-03-01T09:30:00.000Z";
    const delayed = { code: "STORE_UNAVAILABLE", reason: "busy", since, until: since, failures: 4 };
    expect(judgeBacklog(status({ depth: 3, oldest_age_ms: 10 }, { delayed }))).toMatchObject({
      status: "degraded",
      detail: expect.stringContaining(`after 4 failures (STORE_UNAVAILABLE: busy), since ${since}`),
    });
    expect(judgeBacklog(status({}, { delayed })).status).toBe("ok"); // nothing waits for it
  });

  it("H1: spilled records wait as pending ones do, also when none is pending", () => {
    const young = status({ spilled: 5, oldest_age_ms: 1_000 });
    expect(judgeBacklog(young)).toMatchObject({
      status: "ok",
      detail: "0 pending and 5 spilled, the oldest for 1 s",
    });
    const old = status({ spilled: 5, oldest_age_ms: 60_001 });
    expect(judgeBacklog(old).status).toBe("degraded");
    expect(judgeLease(old)).toMatchObject({
      status: "degraded",
      detail: "no process drains, though 5 records wait",
    });
  });

  it("H1: a full queue is degraded at once, and it is said what happens to captures", () => {
    const full = (overflow: StatusReport["queue"]["overflow"]) =>
      judgeBacklog(status({ depth: 50, max_records: 50, oldest_age_ms: 1_000, overflow }));
    expect(full("reject")).toMatchObject({
      status: "degraded",
      detail: "50 pending, the oldest for 1 s; the queue is full, captures are refused",
      advice: "See whether a server runs; or run: memspool drain",
    });
    expect(full("drop-oldest").detail).toContain("the oldest are dropped");
    expect(full("spill").detail).toContain("the oldest are spilled");
    const nearly = status({ depth: 49, max_records: 50, oldest_age_ms: 1_000 });
    expect(judgeBacklog(nearly).status).toBe("ok");
  });

  it("H1: quarantined records are degraded", () => {
    expect(judgeQuarantine(status({})).status).toBe("ok");
    expect(judgeQuarantine(status({ quarantined: 2 }))).toMatchObject({
      status: "degraded",
      detail: "2 records are set aside and kept",
    });
  });
});

describe("report", () => {
  const check = (result: HealthCheck["status"]): HealthCheck => ({
    name: "x",
    status: result,
    detail: "",
  });

  it("H1: the worst check decides, and nothing checked is failing", () => {
    const of = (...results: HealthCheck["status"][]) => healthReport(results.map(check)).status;
    expect(of("ok", "ok")).toBe("ok");
    expect(of("ok", "degraded", "ok")).toBe("degraded");
    expect(of("degraded", "failing", "ok")).toBe("failing");
    expect(of()).toBe("failing");
  });

  it("H1: exits with 0, 1 or 2", () => {
    expect([exitCodeOf("ok"), exitCodeOf("degraded"), exitCodeOf("failing")]).toEqual([0, 1, 2]);
  });

  it("H1: a check that throws or hangs does not keep the report from coming", async () => {
    const never = () => new Promise<HealthCheck>(() => {});
    const report = await runChecks(
      [
        { name: "fine", run: () => ({ name: "fine", status: "ok", detail: "" }) },
        {
          name: "throws",
          run: () => Promise.reject(Object.assign(new Error("/p"), { code: "EIO" })),
        },
        { name: "hangs", run: never },
        { name: "slow", run: never, silence: "degraded" },
      ],
      5,
    );
    expect(report.status).toBe("failing");
    expect(report.checks.map((each) => each.status)).toEqual([
      "ok",
      "failing",
      "failing",
      "degraded",
    ]);
    expect(report.checks[1]?.detail).toBe("could not be checked (EIO)");
    expect(report.checks[2]?.detail).toContain("no answer");
    for (const each of report.checks.slice(1)) expect(each.advice).toBeTruthy();
  });
});
