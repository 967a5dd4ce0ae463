import { describe, expect, it } from "vitest";
import { EVENT_SEVERITY, type EventFields, type EventName } from "../../src/events/catalogue.ts";
import { isNeverSignal, type Signal, signalOf } from "../../src/events/signal.ts";
import { SIGNAL_CODES } from "../../src/events/signal-codes.ts";

const NOW_MS = Date.UTC(2026, 2, 1, 9, 30);

function of<N extends EventName>(event: N, fields: EventFields[N]): Signal | undefined {
  return signalOf({ event, fields } as Parameters<typeof signalOf>[0], NOW_MS);
}

/** Code, control and severity in one line. */
function line(signal: Signal | undefined): string {
  return signal === undefined ? "none" : `${signal.code} ${signal.control} ${signal.severity}`;
}

const spool = { reason: "", used_bytes: 5, quota_bytes: 10 };
const governor = { share_pct: 50 } as const;
const memory = { rss_bytes: 90, limit_bytes: 100 };

describe("which event is which signal", () => {
  it("P6: pressure throttles, sheds and is over", () => {
    const measured = { value: 80, limit: 70 };
    expect([
      line(of("pressure_raised", { sensor: "memory", ...measured })),
      line(of("pressure_raised", { sensor: "stall", ...measured })),
      line(of("pressure_raised", { sensor: "loop", ...measured })),
      line(of("pressure_raised", { sensor: "store", ...measured })),
      line(of("memory_shedding", memory)),
      line(of("memory_critical", memory)),
      line(of("pressure_relieved", { sensor: "memory", ...measured })),
      line(of("pressure_relieved", { sensor: "stall", ...measured })),
    ]).toEqual([
      "MEM_PRESSURE throttle warning",
      "PSI_PRE_OOM throttle warning",
      "LOOP_DELAY throttle warning",
      "STORE_SLOW throttle warning",
      "MEM_PRESSURE shed error",
      "MEM_CRITICAL shed critical",
      "MEM_RELIEF recovered info",
      "PSI_RELIEF recovered info",
    ]);
  });

  it("P6: what is full says what is, and counts in words", () => {
    const reason = "The disk has 3.0 MiB free, less than 64.";
    const changed = { from: "normal", to: "hard", ...spool, reason } as const;
    expect(of("backpressure_changed", changed)?.message).toBe(`At the hard limit. ${reason}`);
    const warned = (count: number) => of("backpressure_warning", { kind: "soft", count })?.message;
    expect(warned(1)).toBe("1 capture was slowed by the disk quota.");
    expect(warned(2)).toBe("2 captures were slowed by the disk quota.");
    expect(of("backpressure_warning", { kind: "memory", count: 1 })?.message).toBe(
      "1 low-priority capture was refused for lack of memory.",
    );
  });

  it("P6: what is full says so, and what is over is told once", () => {
    expect([
      line(of("backpressure_changed", { from: "normal", to: "soft", ...spool })),
      line(of("backpressure_changed", { from: "soft", to: "hard", ...spool })),
      line(of("backpressure_changed", { from: "hard", to: "normal", ...spool })),
      line(of("backpressure_cleared", { away_ms: 1, delayed: 2, refused: 3 })),
      line(of("backpressure_warning", { kind: "soft", count: 1 })),
      line(of("backpressure_warning", { kind: "hard", count: 1 })),
      line(of("backpressure_warning", { kind: "line", count: 1 })),
      line(of("backpressure_warning", { kind: "memory", count: 1 })),
      line(of("backpressure_warning", { kind: "early_drop", count: 1 })),
      line(of("backpressure_critical", { hard_ms: 300_000 })),
      line(of("prune_failed", { errno: "ENOSPC", wanted: 1 })),
    ]).toEqual([
      "BUF_SAT throttle warning",
      "BUF_SAT shed error",
      "none",
      "BUF_RELIEF recovered info",
      "BUF_SAT throttle warning",
      "BUF_SAT shed warning",
      "BUF_SAT shed warning",
      "MEM_PRESSURE shed warning",
      "DROP_RED shed warning",
      "BUF_SAT shed critical",
      "BUF_SAT shed error",
    ]);
  });

  it("P6: the governor's steps, down and up", () => {
    const step = (from: GovernorStep, to: GovernorStep, cause: "memory" | "relief") =>
      line(of("governor_changed", { from, to, cause, ...governor }));
    type GovernorStep = EventFields["governor_changed"]["from"];
    expect([
      step("normal", "degraded", "memory"),
      step("degraded", "degraded", "memory"),
      step("degraded", "recovering", "relief"),
      step("recovering", "recovering", "relief"),
      step("recovering", "degraded", "memory"),
      step("recovering", "normal", "relief"),
    ]).toEqual([
      "DEGRADED_MODE degraded warning",
      "WORKER_SCALE_DOWN throttle warning",
      "WORKER_SCALE_UP none info",
      "WORKER_SCALE_UP none info",
      "DEGRADED_MODE degraded warning",
      "WORKER_SCALE_UP recovered info",
    ]);
  });

  it("P6: a store that goes away opens the breaker, a try half opens it, a commit closes it", () => {
    expect([
      line(of("store_unavailable", { code: "STORE_UNAVAILABLE", reason: "locked" })),
      line(of("store_retried", { away_ms: 5 })),
      line(of("store_recovered", { away_ms: 5 })),
    ]).toEqual([
      "DEGRADED_MODE breaker-open error",
      "STORE_RETRY breaker-half debug",
      "STORE_RECOVERED breaker-close info",
    ]);
  });

  it("P6: the server's beginning, end and crash", () => {
    const crash = { error: "TypeError", report: "" };
    expect([
      line(of("server_started", { pid: 1, version: "1.0.0" })),
      line(of("server_stopping", { reason: "SIGTERM" })),
      line(of("crash_reported", { ...crash, thread: "main", fatal: true })),
      of("crash_reported", { ...crash, thread: "main", fatal: true })?.recoverable,
      of("crash_reported", { ...crash, thread: "store", fatal: false })?.recoverable,
    ]).toEqual(["STARTUP none info", "SHUTDOWN none info", "PANIC degraded critical", false, true]);
  });

  it("P6: acknowledged and ingested records are no signals", () => {
    expect(of("capture_appended", { ulid: "u", bytes: 1, ms: 1 })).toBeUndefined();
    expect(of("capture_ingested", { count: 1, inserted: 1, duplicates: 0, ms: 1 })).toBeUndefined();
    expect(isNeverSignal("capture_appended")).toBe(true);
  });
});

describe("the shape of a signal", () => {
  it("P6: has all its parts, and can not be changed by who receives it", () => {
    const signal = of("pressure_raised", { sensor: "stall", value: 33, limit: 20 });
    expect(signal).toEqual({
      severity: "warning",
      control: "throttle",
      code: "PSI_PRE_OOM",
      component: "sensors",
      message: "Stalls (% of time) at 33, beyond 20.",
      time: "2026-03-01T09:30:00.000Z",
      context: { sensor: "stall", value: 33, limit: 20 },
      recoverable: true,
    });
    expect(Object.isFrozen(signal)).toBe(true);
  });

  it("P6: whatever a worker posts, every event is a signal of a known code or none", () => {
    for (const event of [...Object.keys(EVENT_SEVERITY), "constructor", "no_such_event"]) {
      const fields = { to: "soft", sensor: "memory", kind: "soft", cause: "relief" };
      for (const nowMs of [NOW_MS, Number.NaN, Number.POSITIVE_INFINITY, -1]) {
        const signal = signalOf({ event, fields } as never, nowMs);
        if (signal === undefined) continue;
        expect(SIGNAL_CODES).toContain(signal.code);
        expect(signal.time).toMatch(/^\d{4}-\d\d-\d\dT/);
      }
    }
  });

  it("P6: keeps plain fields only, and long ones short", () => {
    const fields = { reason: "x".repeat(5_000), code: "STORE_UNAVAILABLE", nested: { a: 1 } };
    const signal = signalOf({ event: "store_unavailable", fields } as never, NOW_MS);
    expect(Object.keys(signal?.context ?? {})).toEqual(["reason", "code"]);
    expect(String(signal?.context.reason)).toHaveLength(200);
  });
});
