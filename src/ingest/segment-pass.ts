/**
 * Drains the segments of spilled records, oldest first, before what is pending: they hold the
 * older ones. docs/QUEUE_FORMAT.md, "Ingest by batch".
 *
 * Guarantees: a segment is removed only when every record of it is settled (segment-commit.ts); a
 * damaged one is moved to quarantine whole after what could be read of it is settled. One that can
 * not be read now stays as it is and stops nobody; one that holds records of a newer program stays,
 * and its other records are ingested once a start. A crash anywhere ends with one row each: the
 * segment is read again, and the store knows its records by their ids. A segment that another
 * ingester removes meanwhile is as good as removed here.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { CaptureQueueSchemaError } from "../errors.ts";
import type { Clock } from "../platform/clock.ts";
import { unlinkIfThere } from "../platform/durable-fs-sync.ts";
import { isWaiting, NO_ATTEMPTS } from "../queue/mark-state.ts";
import {
  quarantineSegment,
  type SegmentDamage,
  segmentDamage,
} from "../queue/quarantine-spilled.ts";
import type { ReadEnvelope } from "../queue/read-envelope.ts";
import { listSegmentsSync, readSegmentFile } from "../queue/segment-file.ts";
import { SegmentMemories, type SegmentMemory, setAsideAgain } from "../queue/segment-memory.ts";
import {
  readSegment,
  type SegmentContent,
  type SegmentFault,
  type SegmentName,
  segmentPath,
} from "../queue/spill-segment.ts";
import { BATCH_READ_BYTES_MAX } from "./batch.ts";
import type { SettleBatchParts } from "./commit-and-settle.ts";
import { addSettled, emptyOutcome, type PassDrive, type PassOutcome } from "./drain-pass.ts";
import { leaveAlone } from "./leave-alone.ts";
import { commitSpilled, setAsideLines } from "./segment-commit.ts";

export interface SegmentPassParts extends SettleBatchParts {
  readonly clock: Clock;
  readonly batchRecords: () => number;
}

interface ReadSegment {
  readonly segment: SegmentName;
  readonly content: SegmentContent;
  readonly newer: readonly SegmentFault[];
  readonly damaged: readonly SegmentFault[];
}

export class SegmentPass {
  readonly #parts: SegmentPassParts;
  readonly #memories = new SegmentMemories();
  /** Segments in which nothing but records of a newer program is left to do, with their number. */
  readonly #leftToNewer = new Map<string, number>();

  constructor(parts: SegmentPassParts) {
    this.#parts = parts;
  }

  /**
   * @throws system errors of the overflow directory, archive, ledger or high-water; MemspoolError
   *   STORE_UNAVAILABLE, STORE_TOO_NEW
   */
  async run(drive: PassDrive, dueOrNot: boolean): Promise<PassOutcome> {
    const outcome = emptyOutcome();
    const segments = listSegmentsSync(this.#parts.fs, this.#parts.layout);
    this.#forgetAllBut(new Set(segments.map(({ name }) => name)));
    for (const segment of segments) {
      if (drive.isStopping()) break;
      const newerCount = this.#leftToNewer.get(segment.name);
      if (newerCount !== undefined) outcome.skipped += newerCount;
      else await this.#drain(segment, drive, dueOrNot, outcome);
    }
    return outcome;
  }

  /** What another ingester finished needs no memory. */
  #forgetAllBut(names: ReadonlySet<string>): void {
    this.#memories.keepOnly(names);
    for (const name of this.#leftToNewer.keys()) {
      if (!names.has(name)) this.#leftToNewer.delete(name);
    }
  }

  async #drain(
    segment: SegmentName,
    drive: PassDrive,
    dueOrNot: boolean,
    outcome: PassOutcome,
  ): Promise<void> {
    const read = this.#read(segment, outcome);
    if (!read) return;
    const memory = this.#memories.of(segment);
    const { envelopes } = read.content;
    const waits = (ulid: string) =>
      !dueOrNot && isWaiting(memory.states.get(ulid) ?? NO_ATTEMPTS, this.#parts.clock.nowMs());
    const unsettled = envelopes.filter(({ ulid }) => !memory.settled.has(ulid));
    const open = unsettled.filter(({ ulid }) => !waits(ulid));
    outcome.skipped += unsettled.length - open.length;
    for (const batch of batchesOf(open, this.#parts.batchRecords)) {
      if (drive.isStopping()) return;
      const settled = await drive.commit((openStore) =>
        commitSpilled(this.#parts, openStore, batch, memory, drive.committedCount()),
      );
      addSettled(outcome, settled);
      await nextTurn(); // a stop may be waiting
    }
    if (!envelopes.every(({ ulid }) => memory.settled.has(ulid))) return;
    this.#finish(read, memory, outcome, drive);
  }

  /** undefined if there is nothing to do with it now. */
  #read(segment: SegmentName, outcome: PassOutcome): ReadSegment | undefined {
    try {
      const file = readSegmentFile(this.#parts.fs, this.#parts.layout, segment.name);
      if (!file) return undefined; // another ingester was faster
      const content = readSegment(file);
      const isNewer = ({ error }: SegmentFault) => error instanceof CaptureQueueSchemaError;
      return {
        segment,
        content,
        newer: content.faults.filter(isNewer),
        damaged: content.faults.filter((fault) => !isNewer(fault)),
      };
    } catch (error) {
      leaveAlone(this.#parts, segment.first, undefined, error);
      outcome.skipped += segment.count;
      return undefined;
    }
  }

  /** All whole records are settled: what becomes of the file. */
  #finish(read: ReadSegment, memory: SegmentMemory, outcome: PassOutcome, drive: PassDrive): void {
    const { segment, content, newer } = read;
    const before = outcome.quarantined;
    const damage = segmentDamage(segment, content);
    try {
      setAsideAgain(this.#parts, memory, content.envelopes);
      if (newer.length > 0) {
        outcome.skipped += newer.length;
        this.#leftToNewer.set(segment.name, newer.length);
        this.#tellOfNewer(segment, newer[0] as SegmentFault);
      } else if (damage) {
        if (!this.#setAside(read, memory, damage, outcome)) return;
      } else {
        unlinkIfThere(this.#parts.fs, segmentPath(this.#parts.layout, segment.name));
      }
      this.#memories.forget(segment);
    } catch (error) {
      leaveAlone(this.#parts, segment.first, undefined, error);
      outcome.skipped += segment.count;
    } finally {
      drive.onQuarantined(outcome.quarantined - before);
    }
  }

  #tellOfNewer(segment: SegmentName, { ulid, error }: SegmentFault): void {
    const { schemaVersion } = error as CaptureQueueSchemaError;
    this.#parts.events.emit("schema_version_unknown", {
      ulid: ulid ?? segment.first,
      schema_version: String(schemaVersion).slice(0, 32),
    });
  }

  /** False if a line of it could not be set aside now. */
  #setAside(
    { segment, damaged }: ReadSegment,
    memory: SegmentMemory,
    damage: SegmentDamage,
    outcome: PassOutcome,
  ): boolean {
    const lines = setAsideLines(this.#parts, memory, damaged);
    outcome.quarantined += lines.quarantined;
    if (!lines.complete) return false;
    if (!quarantineSegment(this.#parts, segment, damage.reason)) return true;
    outcome.quarantined++;
    this.#parts.events.emit("segment_damaged", {
      segment: segment.name,
      records_lost: damage.recordsLost,
      bytes_skipped: damage.bytesSkipped,
    });
    return true;
  }
}

/**
 * The same bounds as for pending records; all of it was read at once.
 * @param countMax is asked anew all along: the pace may change between two batches
 */
function* batchesOf(
  envelopes: readonly ReadEnvelope[],
  countMax: () => number,
): Generator<readonly ReadEnvelope[]> {
  let batch: ReadEnvelope[] = [];
  let bytes = 0;
  for (const envelope of envelopes) {
    const size = envelope.bytes.length;
    const isFull = batch.length >= countMax() || bytes + size > BATCH_READ_BYTES_MAX;
    if (batch.length > 0 && isFull) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(envelope);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
