import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  checkAlerts,
  checkCrashes,
  judgeAlerts,
  judgeCrashes,
} from "../../src/health/check-alerts.ts";
import { judgeMemory, judgePace } from "../../src/health/check-pressure.ts";
import { judgeSpool } from "../../src/health/check-spool.ts";
import { CHECK_TIMEOUT_MS, runChecks } from "../../src/health/run-checks.ts";
import type { HealthCheck, StatusReport } from "../../src/memory/memory.ts";
import { okStatus } from "../support/fake-memory.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const MIB = 1_048_576;

function spool(changes: Partial<StatusReport["spool"]>, reason = "", usedMib?: number) {
  const ok = okStatus();
  const used = (usedMib ?? changes.used_mb ?? 0) * MIB;
  return judgeSpool({
    ...ok,
    spool: { ...ok.spool, ...changes },
    spool_bytes: ok.spool_bytes && { ...ok.spool_bytes, used },
    pressure: { ...ok.pressure, reason },
  });
}

describe("spool", () => {
  it("H1: normal is ok, soft is degraded, hard is failing, each with what to do", () => {
    expect(spool({ used_mb: 3 })).toEqual({
      name: "spool",
      status: "ok",
      detail: "3 of 512 MiB used, normal",
    });
    expect(spool({ used_mb: 470, state: "soft" }, "It is 92 % full.")).toMatchObject({
      status: "degraded",
      detail: "470 of 512 MiB used, soft: It is 92 % full.",
      advice: expect.stringContaining("spool.quotaMb"),
    });
    expect(spool({ state: "hard", dropped_batches: 7 }, "The disk is full.")).toMatchObject({
      status: "failing",
      detail: "0 of 512 MiB used, hard, 7 captures refused: The disk is full.",
      advice: expect.stringContaining("memspool diag"),
    });
  });

  it("H1: since when is told, where it is known", () => {
    const ok = okStatus();
    const pressure = { ...ok.pressure, reason: "Why.", since: "2026-03-01T09:30:00.000Z" };
    const told = judgeSpool({ ...ok, spool: { ...ok.spool, state: "soft" }, pressure });
    expect(told.detail).toMatch(/soft since 2026-03-01T09:30:00Z: Why\.$/);
  });

  it("H1: a small quota is told to the tenth, never more than is used", () => {
    expect(spool({ quota_mb: 1, state: "soft" }, "Why.", 0.987).detail).toBe(
      "0.9 of 1 MiB used, soft: Why.",
    );
    expect(spool({ used_mb: 1, quota_mb: 1, state: "hard" }, "Why.", 1.02).detail).toBe(
      "1 of 1 MiB used, hard: Why.",
    );
    expect(spool({ used_mb: 470 }, "", 470.99).detail).toBe("470 of 512 MiB used, normal");
  });

  it("H1: one that could not be measured is degraded", () => {
    expect(judgeSpool({ ...okStatus(), spool_bytes: null }).status).toBe("degraded");
  });
});

describe("memory and pace", () => {
  const memory = (level: StatusReport["pressure"]["memory"]["level"], rss: number | null) => {
    const { pressure } = okStatus();
    return { pressure: { ...pressure, memory: { ...pressure.memory, level, rss_bytes: rss } } };
  };
  const found = { limitBytes: 256 * MIB, source: "cgroup v2" } as const;

  it("H1: the limit that was found and the level are told, and what a level means", () => {
    expect(judgeMemory(memory("normal", null), undefined).detail).toBe("not limited, normal");
    expect(judgeMemory(memory("normal", 100 * MIB), found)).toEqual({
      name: "memory",
      status: "ok",
      detail: "limit 256 MiB (cgroup v2), a server uses 100 MiB, normal",
    });
    const own = {
      ...okStatus().pressure.memory,
      limit_bytes: 64 * MIB,
      source: "setting" as const,
    };
    const short = { ...own, level: "critical" as const, rss_bytes: 75 * MIB };
    expect(judgeMemory({ pressure: { ...okStatus().pressure, memory: short } }, found).detail).toBe(
      "limit 64 MiB (setting), a server uses 75 MiB, critical",
    );
    for (const level of ["throttle", "shed", "critical"] as const) {
      const { status, advice } = judgeMemory(memory(level, 250 * MIB), found);
      expect([status, advice]).toEqual(["degraded", expect.stringContaining("more memory")]);
    }
  });

  it("H1: a pace that is lowered is degraded and names what lowered it", () => {
    const { pressure } = okStatus();
    const governor = { state: "degraded", share_pct: 25, since: null, cause: "stall" } as const;
    expect(judgePace({ pressure }).status).toBe("ok");
    expect(judgePace({ pressure: { ...pressure, governor } })).toMatchObject({
      status: "degraded",
      detail: "ingestion is at 25 % (stall)",
    });
  });
});

describe("alerts and crashes", () => {
  const NOW = Date.UTC(2026, 2, 2, 9, 30, 0, 123);

  it("H1: each alert that stands is degraded and says what to do", async () => {
    const dir = freshDirectory();
    expect((await checkAlerts(join(dir, "alerts"))).status).toBe("ok");
    for (const name of ["ALERT_BACKPRESSURE_HARD.txt", "ALERT_ANOTHER.txt", "readme"]) {
      writeFileSync(join(dir, name), "");
    }
    expect(await checkAlerts(dir)).toEqual({
      name: "alerts",
      status: "degraded",
      detail: "ALERT_ANOTHER.txt, ALERT_BACKPRESSURE_HARD.txt",
      advice:
        "Read alerts/ALERT_ANOTHER.txt in the data directory. Captures have been held up for " +
        "minutes: free space, or raise spool.quotaMb.",
    });
    expect(judgeAlerts(["ALERT_LOG_ROTATION_FAILED.txt"]).advice).toContain("log");
  });

  it("H1: a crash of the last 24 hours is degraded and names its report", async () => {
    const name = (day: string) => `crash-202603${day}T093000123Z-77.json`;
    expect(judgeCrashes([name("01")], NOW)).toMatchObject({
      status: "degraded",
      detail: `a crash in the last day, the last one in crashes/${name("01")}`,
    });
    expect(judgeCrashes([name("01")], NOW + 1).status).toBe("ok");
    expect(judgeCrashes(["crash.json", "crash-x"], NOW).status).toBe("ok");
    const dir = freshDirectory();
    mkdirSync(join(dir, "crashes"));
    writeFileSync(join(dir, "crashes", name("02")), "");
    writeFileSync(join(dir, "crashes", name("01")), "");
    expect((await checkCrashes(join(dir, "crashes"), NOW)).detail).toBe(
      `2 crashes in the last day, the last one in crashes/${name("02")}`,
    );
    expect((await checkCrashes(join(dir, "none"), NOW)).status).toBe("ok");
  });
});

describe("the bound of all checks together", () => {
  it("H1: twenty checks that hang are told together, not one after another", async () => {
    const never = () => new Promise<HealthCheck>(() => {});
    const hanging = Array.from({ length: 20 }, (_, n) => ({ name: `hangs ${n}`, run: never }));
    const started: string[] = [];
    const fine = {
      name: "fine",
      run: () => {
        started.push("fine");
        return { name: "fine", status: "ok" as const, detail: "" };
      },
    };
    const running = runChecks([...hanging, fine], 20);
    // All have begun before the first is waited for, so that the time of one is the time of all.
    expect(started).toEqual(["fine"]);
    const { checks } = await running;
    expect(checks.filter(({ detail }) => detail.includes("no answer"))).toHaveLength(20);
    expect(CHECK_TIMEOUT_MS).toBeLessThanOrEqual(8_000);
  });
});
