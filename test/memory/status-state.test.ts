import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as realApp from "../../src/app.ts";
import { captureObstacle } from "../../src/memory/capture-obstacle.ts";
import type { HealthReport, StatusReport } from "../../src/memory/memory.ts";
import { stateAndReasons } from "../../src/memory/status-reasons.ts";
import type { PressureFacts } from "../../src/pressure/pressure-facts.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { MemoryBench } from "../support/memory-bench.ts";
import { calmFacts, SINCE_MS, usageOf } from "../support/pressure-facts.ts";
import { run } from "../support/run-program.ts";
import { readOnlyDisk } from "../support/small-disk.ts";

async function under(facts: Partial<PressureFacts>): Promise<StatusReport> {
  const bench = await MemoryBench.open();
  bench.pressure.own = () => ({ facts: calmFacts(facts), events: [] });
  await bench.capture("kept");
  return bench.memory.status();
}

describe("the state and its reasons, pressure first", () => {
  const spool = calmFacts().spool;
  const full = usageOf({ pendingBytes: 512 * 1_048_576 });

  it("R1: at the hard limit captures wait and are refused, which is failing", async () => {
    const { state, reasons } = await under({
      spool: { ...spool, usage: full, state: "hard", reason: "The queue uses 512 of its 512 MiB." },
      gate: { ...calmFacts().gate, waiting: 3, refusedByQuota: 5 },
    });
    expect(state).toBe("failing");
    expect(reasons).toEqual([
      "The queue uses 512 of its 512 MiB. Captures wait and are then refused (3 wait now, 5 " +
        "refused): raise spool.quotaMb, or see why nothing is ingested; see `memspool diag`.",
    ]);
  });

  it("R1: says what helps: room on the disk where that is short, and not a larger quota", async () => {
    const usage = usageOf({ pendingBytes: 3 * 1_048_576 });
    const { reasons } = await under({
      spool: { ...spool, usage, state: "hard", reason: "The disk has 3 MiB free." },
      gate: { ...calmFacts().gate, waiting: 1 },
    });
    expect(reasons).toEqual([
      "The disk has 3 MiB free. Captures wait and are then refused (1 waits now, 0 refused): " +
        "make room on the disk; see `memspool diag`.",
    ]);
  });

  it("R1: above the soft limit, short of memory or slowed, captures are safe: degraded", async () => {
    const soft = await under({ spool: { ...spool, state: "soft", reason: "91 % are used." } });
    expect([soft.state, soft.reasons.length]).toEqual(["degraded", 1]);
    expect(soft.reasons[0]).toMatch(/^91 % are used\. .*spool\.quotaMb.*memspool diag/);
    const memory = { ...calmFacts().memory, level: "critical" as const };
    const governor = {
      state: "recovering",
      share: 0.3,
      sinceMs: SINCE_MS,
      cause: undefined,
    } as const;
    const short = await under({ memory, governor });
    expect(short.state).toBe("degraded");
    expect(short.reasons).toEqual([
      "Memory is at 39 % of its limit (cgroup v2): low-priority captures are refused, too.",
      "Ingestion gains pace again and is at 30 %.",
    ]);
  });

  it("R1: what finds no room is refused above the soft limit, too, and that is told", async () => {
    const { state, reasons } = await under({
      spool: { ...spool, state: "soft", reason: "98 % are used." },
      gate: { ...calmFacts().gate, waiting: 1, refusedByQuota: 2 },
    });
    expect(state).toBe("degraded");
    expect(reasons).toEqual([
      "98 % are used. Captures are slowed once nothing is left to trim, and those without room " +
        "wait and are then refused (1 waits now, 2 refused): raise spool.quotaMb, or see why " +
        "nothing is ingested; see `memspool diag`.",
    ]);
  });

  it("R1: says that an archive of this hour goes by itself, where that is what fills the quota", async () => {
    const usage = usageOf({ doneBytes: 480 * 1_048_576, pendingBytes: 1_048_576 });
    for (const state of ["soft", "hard"] as const) {
      const full = { ...usage, ...(state === "hard" && { doneBytes: 512 * 1_048_576 }) };
      const { reasons } = await under({ spool: { ...spool, usage: full, state, reason: "Why." } });
      expect(reasons[0]).toContain(
        ": raise spool.quotaMb, or wait: the archive of this hour is trimmed once the hour is over;",
      );
    }
    const old = { ...usage, trimmableBytes: 480 * 1_048_576 };
    const { reasons } = await under({ spool: { ...spool, usage: old, state: "soft", reason: "" } });
    expect(reasons[0]).toContain(": raise spool.quotaMb, or see why nothing is ingested;");
  });

  it("R1: a refusal for want of room is failing while room is short, and told once", async () => {
    const refused = {
      obstacle: undefined,
      counts: { failing: "BACKPRESSURE" },
      alerts: [],
    };
    const judged = async (state: "normal" | "soft" | "hard", usedMib = 0) => {
      const usage = usageOf({ pendingBytes: usedMib * 1_048_576 });
      const report = await under({ spool: { ...spool, usage, state, reason: "Why." } });
      const told = stateAndReasons(report, refused);
      return [told.state, told.reasons.filter((reason) => /last capture/.test(reason)).length];
    };
    expect(await judged("normal")).toEqual(["ok", 0]);
    expect(await judged("normal", 511.5)).toEqual(["failing", 1]);
    expect(await judged("soft")).toEqual(["failing", 1]);
    expect(await judged("hard")).toEqual(["failing", 0]);
  });

  it("R1: an alert that stands in the data directory is a reason", async () => {
    const bench = await MemoryBench.open();
    mkdirSync(join(bench.home, "alerts"));
    writeFileSync(join(bench.home, "alerts", "ALERT_LOG_ROTATION_FAILED.txt"), "");
    writeFileSync(join(bench.home, "alerts", "notes of mine"), "");
    expect(await bench.memory.status()).toMatchObject({
      state: "degraded",
      reasons: ["There is an alert (ALERT_LOG_ROTATION_FAILED.txt); see `memspool doctor`."],
    });
  });
});

describe("a queue that can not be written", () => {
  it("R1: on a read-only disk status is failing, as the doctor says, and promises no safety", async (context) => {
    const { disk, makeReadOnly } = readOnlyDisk(context);
    const home = join(disk, "home");
    const env = { MEMSPOOL_SPOOL_FREE_MB_MIN: "0", MEMSPOOL_SPOOL_FREE_INODES_MIN: "0" };
    const ask = (...argv: string[]) => run(argv, { home, app: realApp, env });
    await ask("capture", "before");
    expect((await ask("status", "--json")).json()).toMatchObject({ state: "ok", reasons: [] });
    makeReadOnly();
    const told = await ask("status", "--json");
    expect(told.exitCode).toBe(2);
    const { state, reasons } = told.json() as StatusReport;
    expect(state).toBe("failing");
    expect(reasons[0]).toBe(
      "Captures fail: the queue's directory can not be written (EROFS); see `memspool doctor`.",
    );
    expect(reasons.join()).not.toContain("captures stay safe");
    const { checks } = (await ask("doctor", "--json")).json() as HealthReport;
    expect(checks.find(({ name }) => name === "write and fsync")?.status).toBe("failing");
    expect((await ask("capture", "after")).exitCode).toBe(1);
  });

  it("R1: a name that a file has is named by its errno, one that is not there is no obstacle", async () => {
    const home = freshDirectory();
    expect(await captureObstacle(join(home, "not", "made", "yet"))).toBeUndefined();
    writeFileSync(join(home, "file"), "");
    expect(await captureObstacle(join(home, "file", "queue"))).toBe("ENOTDIR");
  });

  it("R1: a directory that this user may not write is named by its errno", async (context) => {
    if (process.getuid?.() === 0) context.skip("root may write anywhere, so modes show nothing");
    const home = freshDirectory();
    mkdirSync(join(home, "closed"), { mode: 0o500 });
    expect(await captureObstacle(join(home, "closed", "queue"))).toBe("EACCES");
  });
});
