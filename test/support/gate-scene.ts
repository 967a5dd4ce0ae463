/** A gate with a spool that a test fills and empties, and time that a test moves. */
import { MemspoolError } from "../../src/errors.ts";
import { CaptureGate } from "../../src/pressure/capture-gate.ts";
import type { GateRequest, Ticket } from "../../src/pressure/gate.ts";
import type { MemoryLevel } from "../../src/pressure/pressure-facts.ts";
import { spoolLimits } from "../../src/pressure/quota.ts";
import { SpoolGuard } from "../../src/pressure/spool-guard.ts";
import type { SpoolUsage } from "../../src/queue/spool-usage.ts";
import { DEFAULT_SETTINGS } from "./default-settings.ts";
import { ManualTime } from "./manual-time.ts";
import { usageOf } from "./pressure-facts.ts";
import { RecordedEvents } from "./recorded-events.ts";

export const KIB = 1_024;
export const MIB = 1_048_576;
/** 100 MiB with limits at 90 and 100 %: one percent is one MiB. */
export const QUOTA = spoolLimits({ ...DEFAULT_SETTINGS, "spool.quotaMb": 100 });

export type Outcome = "held" | "admitted" | MemspoolError | Error;

export class GateScene {
  readonly time = new ManualTime();
  readonly events = new RecordedEvents();
  readonly guard: SpoolGuard;
  readonly gate: CaptureGate;
  memory: MemoryLevel = "normal";
  /** What the dice show, again and again. */
  draws: number[] = [0.5];
  #drawn = 0;

  constructor(
    settings: Partial<ConstructorParameters<typeof CaptureGate>[0]["settings"]> = {},
    maxRecords = 1_000,
  ) {
    this.guard = new SpoolGuard({ clock: this.time.clock, events: this.events, limits: QUOTA });
    this.gate = new CaptureGate({
      guard: this.guard,
      settings: {
        ...{ delayMs: 300, waitMs: 2_000, waitRecords: 64, waitBytes: 16 * MIB },
        earlyDrop: { fromPct: 60, refusePct: 30 },
        ...settings,
      },
      maxRecords,
      memoryLevel: () => this.memory,
      events: this.events,
      timing: this.time,
      random: () => this.draws[this.#drawn++ % this.draws.length] ?? 0,
    });
  }

  /** A look at the disk that finds so much used, and nothing that trimming could take. */
  look(usedMib: number, more: Partial<SpoolUsage> = {}, ulids: readonly string[] = []): void {
    this.guard.measured(usage(this.time, usedMib, more), new Set(ulids));
  }

  enter(request: Partial<GateRequest> = {}): Entering {
    return new Entering(this.gate.enter({ priority: "normal", bytes: KIB, ...request }));
  }
}

export function usage(
  time: ManualTime,
  usedMib: number,
  more: Partial<SpoolUsage> = {},
): SpoolUsage {
  return usageOf({ atMs: time.clock.monotonicMs(), pendingBytes: usedMib * MIB, ...more });
}

/** One capture at the gate. */
export class Entering {
  ticket: Ticket | undefined;
  outcome: Outcome = "held";
  readonly over: Promise<void>;

  constructor(entering: Promise<Ticket>) {
    this.over = entering.then(
      (ticket) => {
        this.ticket = ticket;
        this.outcome = "admitted";
      },
      (error: Error) => {
        this.outcome = error;
      },
    );
  }

  /** "held", "admitted", the reason of a refusal, or the code or name of another error. */
  get said(): string {
    const { outcome } = this;
    if (typeof outcome === "string") return outcome;
    if (!(outcome instanceof MemspoolError)) return outcome.name;
    return outcome.code === "BACKPRESSURE" ? String(outcome.details.reason) : outcome.code;
  }
}

/** Lets promises that are settled tell whoever awaits them. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

export async function said(entered: readonly Entering[]): Promise<string[]> {
  await settle();
  return entered.map((one) => one.said);
}
