/**
 * The spilled part of `ingestPending`: hands the records of segments to the handler, oldest first,
 * before what is pending.
 *
 * Guarantees: a segment is removed only when the handler has returned for each of its records, or
 * the record is durable in quarantine; a failed record stays in its segment and stops nobody. While
 * a segment is worked on, the mark of its oldest record is held and touched, however short each
 * handler is, so that other processes that use marks pass it over. Does not guarantee one call of the handler a record: after
 * a crash, or in another process, all of a segment that is still there are handed out again, and
 * attempts count from one.
 */
import { CaptureQueueSchemaError, MemspoolError } from "../errors.ts";
import { unlinkIfThere } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import { type Claim, type Claims, MARK_TOUCH_MS } from "./claim.ts";
import type { HighWater } from "./high-water.ts";
import { type LedgerSync, oldestAppendMs } from "./ledger-sync.ts";
import { isWaiting, type MarkState, NO_ATTEMPTS } from "./mark-state.ts";
import { quarantineBytes, quarantineSegment, segmentDamage } from "./quarantine-spilled.ts";
import type { ReadEnvelope } from "./read-envelope.ts";
import { withReserve } from "./reserve.ts";
import { nextAttempt } from "./retry-schedule.ts";
import { listSegmentsSync, readSegmentFile } from "./segment-file.ts";
import { codeOf, isPermanent, reasonOf, type SetAsideParts } from "./set-aside.ts";
import {
  readSegment,
  type SegmentContent,
  type SegmentName,
  segmentPath,
} from "./spill-segment.ts";

export interface IngestSegmentsParts extends SetAsideParts {
  readonly claims: Claims;
  readonly ledger: LedgerSync;
  readonly highWater: HighWater;
}

export interface SegmentsDrive {
  /** Calls the handler while the claim is touched. */
  readonly handle: (claim: Claim, envelope: ReadEnvelope, attempt: number) => Promise<void>;
  /** After a record that the handler took. */
  readonly onIngested: () => void;
  readonly onFailure: (error: unknown) => void;
}

/** What this process knows of a segment that could not go yet. */
interface SegmentMemory {
  readonly settled: Set<string>;
  /** Of the settled ones those that are in quarantine, with the failure and the attempts. */
  readonly aside: Map<string, { readonly error: unknown; readonly attempts: number }>;
  readonly states: Map<string, MarkState>;
}

export class IngestSegments {
  readonly #parts: IngestSegmentsParts;
  readonly #memories = new Map<string, SegmentMemory>();

  constructor(parts: IngestSegmentsParts) {
    this.#parts = parts;
  }

  /** @throws the system error of the overflow directory; all others go to `onFailure` */
  async run(drive: SegmentsDrive): Promise<void> {
    const segments = listSegmentsSync(this.#parts.fs, this.#parts.layout);
    const names = new Set(segments.map(({ name }) => name));
    for (const name of this.#memories.keys()) if (!names.has(name)) this.#memories.delete(name);
    for (const segment of segments) {
      try {
        await this.#ingest(segment, drive);
      } catch (error) {
        drive.onFailure(error);
      }
    }
  }

  async #ingest(segment: SegmentName, drive: SegmentsDrive): Promise<void> {
    const { fs, layout, claims } = this.#parts;
    const claim = claims.take(segment.first, { dueOrNot: true });
    if (!claim) return; // another process is at it
    try {
      const file = readSegmentFile(fs, layout, segment.name);
      if (!file) return; // gone since we listed
      const memory = this.#memoryOf(segment);
      const content = readSegment(file);
      const touch = this.#toucher(claim);
      for (const envelope of content.envelopes) {
        if (memory.settled.has(envelope.ulid)) continue;
        await this.#one(claim, envelope, memory, drive);
        touch();
      }
      const isDone = content.envelopes.every(({ ulid }) => memory.settled.has(ulid));
      if (isDone) this.#finish(segment, content, memory, drive);
    } finally {
      if (claim.state.attempts === 0) claim.release();
      else claim.fail(claim.state); // the mark of a pending twin that failed before
    }
  }

  /** Between handlers, each of which may be over before its own touching begins. */
  #toucher(claim: Claim): () => void {
    const { clock } = this.#parts;
    let touchedMs = clock.monotonicMs();
    return () => {
      const nowMs = clock.monotonicMs();
      if (nowMs - touchedMs < MARK_TOUCH_MS) return;
      touchedMs = nowMs;
      claim.touch();
    };
  }

  async #one(
    claim: Claim,
    envelope: ReadEnvelope,
    memory: SegmentMemory,
    drive: SegmentsDrive,
  ): Promise<void> {
    const { ulid } = envelope;
    const state = memory.states.get(ulid) ?? NO_ATTEMPTS;
    if (isWaiting(state, this.#parts.clock.nowMs())) return;
    try {
      await drive.handle(claim, envelope, state.attempts + 1);
      memory.settled.add(ulid);
      drive.onIngested();
    } catch (error) {
      drive.onFailure(error);
      this.#fail(envelope, state, memory, error);
    }
  }

  #fail(envelope: ReadEnvelope, state: MarkState, memory: SegmentMemory, error: unknown): void {
    const { clock, events, attemptsMax } = this.#parts;
    const { ulid } = envelope;
    const attempts = state.attempts + 1;
    if (!isPermanent(error)) {
      memory.states.set(ulid, { attempts, faults: state.faults });
      return;
    }
    const faults = state.faults + 1;
    const code = codeOf(error);
    const next = nextAttempt(faults, attemptsMax);
    if (next.kind === "quarantine") {
      this.#setAside(envelope, memory, error, faults);
      return;
    }
    const { waitMs } = next;
    memory.states.set(ulid, { attempts, faults, code, retryAtMs: clock.nowMs() + waitMs });
    events.emit("envelope_set_aside", { ulid, code, attempts: faults, retry_in_ms: waitMs });
  }

  /** A disk that takes nothing keeps the record in its segment, and stops none of the others. */
  #setAside(envelope: ReadEnvelope, memory: SegmentMemory, error: unknown, attempts: number): void {
    const { ulid } = envelope;
    try {
      if (this.#quarantine(envelope, error, attempts)) {
        this.#parts.events.emit("capture_quarantined", { ulid, code: codeOf(error), attempts });
      }
      memory.aside.set(ulid, { error, attempts });
      memory.settled.add(ulid);
    } catch (failure) {
      const errno = errnoOf(failure);
      if (errno === undefined) throw failure;
      this.#parts.events.emit("envelope_read_failed", { ulid, errno });
    }
  }

  /** False if these bytes lay there already. */
  #quarantine({ ulid, bytes }: ReadEnvelope, error: unknown, attempts: number): boolean {
    const parts = this.#parts;
    const act = () => quarantineBytes(parts, ulid, bytes, reasonOf(error, attempts));
    return withReserve(parts, act) !== undefined;
  }

  #finish(
    segment: SegmentName,
    content: SegmentContent,
    memory: SegmentMemory,
    drive: SegmentsDrive,
  ): void {
    const { fs, layout, ledger, highWater, events } = this.#parts;
    const newer = content.faults.find(({ error }) => error instanceof CaptureQueueSchemaError);
    if (newer) {
      drive.onFailure(newer.error); // a newer program reads it; the others are not handed out again
      return;
    }
    // Somebody may have sent it back into the queue since, and recovery may have taken it from there
    // again because this very segment held it.
    for (const envelope of content.envelopes) {
      const known = memory.aside.get(envelope.ulid);
      if (known) this.#quarantine(envelope, known.error, known.attempts);
    }
    ledger.sync(oldestAppendMs(content.envelopes));
    highWater.record(content.envelopes.map(({ ulid }) => ulid));
    const damage = segmentDamage(segment, content);
    if (!damage) {
      unlinkIfThere(fs, segmentPath(layout, segment.name));
    } else {
      const { code, message } = damage.reason;
      quarantineSegment(this.#parts, segment, damage.reason);
      events.emit("segment_damaged", {
        segment: segment.name,
        records_lost: damage.recordsLost,
        bytes_skipped: damage.bytesSkipped,
      });
      drive.onFailure(new MemspoolError(code, message, { details: { segment: segment.name } }));
    }
    this.#memories.delete(segment.name);
  }

  #memoryOf({ name }: SegmentName): SegmentMemory {
    const memory = this.#memories.get(name) ?? {
      settled: new Set(),
      aside: new Map(),
      states: new Map(),
    };
    this.#memories.set(name, memory);
    return memory;
  }
}
