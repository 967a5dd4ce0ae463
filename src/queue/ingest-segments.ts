/**
 * The spilled part of `ingestPending`: hands the records of segments to the handler, oldest first,
 * before what is pending.
 *
 * Guarantees: a segment is removed only when the handler has returned for each of its records, or
 * the record is durable in quarantine; a failed record stays in its segment and stops nobody. While
 * a segment is worked on, the mark of its oldest record is held and touched, however short each
 * handler is, so that other processes that use marks pass it over. Does not guarantee one call of
 * the handler a record: after a crash, or in another process, all of a segment that is still there
 * are handed out again, and attempts count from one.
 */
import { CaptureQueueSchemaError, MemspoolError } from "../errors.ts";
import { unlinkIfThere } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import { type Claim, type Claims, MARK_TOUCH_MS } from "./claim.ts";
import type { HighWater } from "./high-water.ts";
import { type LedgerSync, oldestAppendMs } from "./ledger-sync.ts";
import { isWaiting, type MarkState, NO_ATTEMPTS } from "./mark-state.ts";
import { quarantineSegment, segmentDamage } from "./quarantine-spilled.ts";
import type { ReadEnvelope } from "./read-envelope.ts";
import { listSegmentsSync, readSegmentFile } from "./segment-file.ts";
import {
  SegmentMemories,
  type SegmentMemory,
  setAsideAgain,
  spendSpilled,
} from "./segment-memory.ts";
import { isPermanent, type SetAsideParts } from "./set-aside.ts";
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

export class IngestSegments {
  readonly #parts: IngestSegmentsParts;
  readonly #memories = new SegmentMemories();

  constructor(parts: IngestSegmentsParts) {
    this.#parts = parts;
  }

  /** @throws the system error of the overflow directory; all others go to `onFailure` */
  async run(drive: SegmentsDrive): Promise<void> {
    const segments = listSegmentsSync(this.#parts.fs, this.#parts.layout);
    this.#memories.keepOnly(new Set(segments.map(({ name }) => name)));
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
      const memory = this.#memories.of(segment);
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
      claim.giveBack(); // it may be the mark of a pending twin that failed before
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
    const { ulid } = envelope;
    if (!isPermanent(error)) {
      memory.states.set(ulid, { attempts: state.attempts + 1, faults: state.faults });
      return;
    }
    try {
      spendSpilled(this.#parts, memory, envelope, error);
    } catch (failure) {
      // A disk that takes nothing keeps the record in its segment, and stops none of the others.
      const errno = errnoOf(failure);
      if (errno === undefined) throw failure;
      this.#parts.events.emit("envelope_read_failed", { ulid, errno });
    }
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
    setAsideAgain(this.#parts, memory, content.envelopes);
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
    this.#memories.forget(segment);
  }
}
