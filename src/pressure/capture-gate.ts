/**
 * The gate of a process that stays: holds captures up, lets them wait in a line, and refuses.
 *
 *              ┌─ normal, or relief expected ─────────────────────────▶ ticket
 *   enter ──▶ decide ─ soft ─▶ delayed ── delay over, or cut short ──▶ decide (not delayed twice)
 *              ├─ hard, not low ─▶ line ── room again, in order ──────▶ ticket
 *              │                    └─ waited as long as may be ──────▶ BACKPRESSURE quota
 *              └─ hard and low, line full, memory short, early drop ──▶ BACKPRESSURE
 *
 * Guarantees: whoever waits has no acknowledgement and nothing on disk, and holds nothing that others
 * need. The line is bounded in records, bytes and time, and first in is first out; nobody overtakes
 * it. Those who are delayed are delayed side by side, so a batch is once. Room that comes lets in as
 * many as fit. `close` refuses who is in the line at once and lets in who was only delayed; after it
 * nobody waits. Each refused capture is counted once.
 */
import type { Events } from "../events/catalogue.ts";
import type { Timing } from "../platform/timing.ts";
import {
  type Admission,
  type AdmissionFacts,
  admission,
  type GateSettings,
  mayPass,
  spoolAdmission,
} from "./admission.ts";
import { envelopeBytes, type Gate, type GateRequest, type Ticket } from "./gate.ts";
import type { GateFacts, MemoryLevel } from "./pressure-facts.ts";
import { backpressure, type RefusalReason, retryAfterMs } from "./refusal.ts";
import type { SpoolGuard } from "./spool-guard.ts";
import { WaitingList } from "./waiting-list.ts";
import { type WarningKind, WarningLimit } from "./warning-limit.ts";

export interface CaptureGateParts {
  readonly guard: SpoolGuard;
  readonly settings: GateSettings;
  /** Of the queue: pending records beyond which it is full. */
  readonly maxRecords: number;
  readonly memoryLevel: () => MemoryLevel;
  readonly events: Events;
  /** Its timers keep the process: somebody waits for them. */
  readonly timing: Timing;
  /** From 0 to less than 1. */
  readonly random: () => number;
}

/** Captures that may be slowed at once; a bound on memory, far beyond what a client has under way. */
export const DELAYED_COUNT_MAX = 4_096;

interface Asked {
  readonly request: GateRequest;
  readonly admit: (ticket: Ticket) => void;
  readonly refuse: (error: unknown) => void;
}

export class CaptureGate implements Gate {
  readonly #parts: CaptureGateParts;
  readonly #warnings: WarningLimit;
  readonly #delayed: WaitingList<Asked>;
  readonly #line: WaitingList<Asked>;
  readonly #stopListening: () => void;
  #lineBytes = 0;
  #inFlight = 0;
  #refused: Readonly<Record<RefusalReason, number>> = {
    quota: 0,
    line: 0,
    early_drop: 0,
    memory: 0,
  };
  #closed = false;

  constructor(parts: CaptureGateParts) {
    const { guard, settings, timing, events } = parts;
    this.#parts = parts;
    this.#warnings = new WarningLimit({ clock: timing.clock, events });
    this.#delayed = new WaitingList(timing, settings.delayMs, (asked) => this.#resume(asked));
    this.#line = new WaitingList(timing, settings.waitMs, (asked) => {
      this.#leaveLine(asked);
      this.#refuse(asked, "quota");
      this.#serve();
    });
    this.#stopListening = guard.onChange(() => this.#serve());
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  facts(): GateFacts {
    const { quota, line, early_drop, memory } = this.#refused;
    return {
      waiting: this.#line.size,
      waitingBytes: this.#lineBytes,
      delayed: this.#delayed.size,
      refusedByQuota: quota + line,
      refusedEarly: early_drop,
      refusedByMemory: memory,
    };
  }

  enter(request: GateRequest): Promise<Ticket> {
    return new Promise((admit, refuse) => {
      request.signal?.throwIfAborted();
      const asked = { request, admit, refuse };
      const { settings, random, memoryLevel, maxRecords, guard } = this.#parts;
      const pending = guard.pendingCount();
      const facts: AdmissionFacts = {
        ...this.#spoolFacts(),
        memory: memoryLevel(),
        fill: pending === undefined ? undefined : pending / maxRecords,
        draw: random(),
      };
      const decision = admission(facts, request, settings);
      if (decision.kind !== "admit") request.check?.();
      this.#follow(asked, decision);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListening();
    for (const asked of this.#delayed.clear()) this.#resume(asked);
    for (const asked of this.#line.clear()) {
      this.#leaveLine(asked);
      this.#refuse(asked, "quota");
    }
  }

  #follow(asked: Asked, decision: Admission): void {
    const { kind } = decision;
    if (kind === "refuse") this.#refuse(asked, decision.reason);
    else if (kind === "admit") this.#admit(asked);
    else if (kind === "delay") this.#delay(asked);
    else this.#wait(asked);
  }

  #delay(asked: Asked): void {
    if (this.#closed) {
      this.#admit(asked);
      return;
    }
    if (this.#delayed.size >= DELAYED_COUNT_MAX) {
      this.#refuse(asked, "line");
      return;
    }
    this.#parts.guard.heldUp("delayed");
    this.#warnings.meet("soft");
    this.#delayed.add(asked, asked.request.signal, asked.refuse);
  }

  #wait(asked: Asked): void {
    if (this.#closed) {
      this.#refuse(asked, "quota");
      return;
    }
    this.#parts.guard.heldUp("delayed");
    this.#warnings.meet("hard");
    this.#lineBytes += asked.request.bytes;
    this.#line.add(asked, asked.request.signal, (reason) => {
      this.#leaveLine(asked);
      asked.refuse(reason);
      this.#serve();
    });
    this.#tellWho();
  }

  #leaveLine({ request }: Asked): void {
    this.#lineBytes -= request.bytes;
    this.#tellWho();
  }

  /** Whoever is first in the line is what the spool has no room for. */
  #tellWho(): void {
    const first = this.#line.first;
    this.#parts.guard.waitsFor(first === undefined ? 0 : envelopeBytes(first.request.bytes));
  }

  /** The delay is over: what the disk says now counts. */
  #resume(asked: Asked): void {
    const facts = this.#spoolFacts();
    const decision = spoolAdmission(facts, asked.request, this.#parts.settings);
    if (decision.kind === "delay") this.#admit(asked);
    else this.#follow(asked, decision);
  }

  #admit({ request, admit }: Asked): void {
    const { guard } = this.#parts;
    const bytes = envelopeBytes(request.bytes);
    this.#inFlight++;
    guard.take(bytes);
    let isOver = false;
    const done = (ulid: string | undefined) => {
      if (isOver) return;
      isOver = true;
      this.#inFlight--;
      guard.done(bytes, ulid);
    };
    admit({ done });
  }

  #refuse({ refuse, request }: Asked, reason: RefusalReason): void {
    const { guard, settings } = this.#parts;
    this.#refused = { ...this.#refused, [reason]: this.#refused[reason] + 1 };
    this.#warnings.meet(WARNED_AS[reason]);
    const ofSpool = reason === "quota" || reason === "line";
    if (ofSpool) {
      guard.hadNoRoomFor(envelopeBytes(request.bytes));
      guard.heldUp("refused");
    }
    const why = ofSpool ? guard.facts().reason : "";
    refuse(backpressure(reason, retryAfterMs(reason, settings.waitMs), why));
  }

  /** Something changed: who is delayed for nothing goes on, and room is given out in order. */
  #serve(): void {
    if (this.#closed) return;
    const { state, relievable } = this.#parts.guard.admission();
    if (state === "normal" || relievable) {
      for (const asked of this.#delayed.clear()) this.#resume(asked);
    }
    for (;;) {
      const first = this.#line.first;
      if (first === undefined) return;
      if (!mayPass(this.#parts.guard.admission(), first.request.bytes)) return;
      this.#line.takeFirst();
      this.#leaveLine(first);
      this.#admit(first);
    }
  }

  #spoolFacts() {
    return {
      ...this.#parts.guard.admission(),
      waiting: this.#line.size,
      waitingBytes: this.#lineBytes,
    };
  }
}

const WARNED_AS: Readonly<Record<RefusalReason, WarningKind>> = {
  quota: "hard",
  line: "line",
  early_drop: "early_drop",
  memory: "memory",
};
