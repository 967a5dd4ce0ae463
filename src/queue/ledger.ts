/**
 * The ledger: one line for every capture that was acknowledged, so that `verify` notices a record
 * that was removed behind the queue's back. docs/QUEUE_FORMAT.md, "The ledger".
 *
 * Guarantees: `note` returns when the ids are in the file of this UTC hour, shared by all processes;
 * ids noted in one turn share one write. A write that fails is told and made up for with the next
 * one, and never fails a capture: the record is on disk already.
 * Does not guarantee that a line survives a power cut before the ingester's next fsync; the record
 * itself still lies in the queue then. A line that a dead process tore is followed by others on the
 * same line: readers look at its end.
 */
import { MemspoolError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import { type DurableFsSync, factsIfThere, writeAllSync } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import { utcHour } from "./done-archive.ts";
import { ledgerPath, type QueueLayout } from "./layout.ts";

const HOUR_MS = 3_600_000;
/** An id and a line feed. */
export const LEDGER_LINE_BYTES = 27;
/** Ids that wait for a disk that takes them again; beyond it they are counted and forgotten. */
const UNWRITTEN_MAX = 10_000;
const OWN_HOURS_MAX = 64;

/** No file's. */
const INO_UNKNOWN = -1;

/** A place in the ledger, to count from. */
export interface LedgerMark {
  /** Ids that this object had noted. */
  readonly noted: number;
  readonly hour: string;
  /** Of that hour's file what others had written. */
  readonly othersBytes: number;
}

export interface LedgerParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
}

interface OpenLedger {
  readonly path: string;
  readonly fd: number;
  readonly ino: number;
}

export class Ledger {
  readonly #parts: LedgerParts;
  #open: OpenLedger | undefined;
  #noted = 0;
  #unwritten: string[] = [];
  /** Ids beyond UNWRITTEN_MAX. */
  #forgotten = 0;
  #failing = false;
  #hourNumber = Number.NaN;
  #hourName = "";
  /** By hour; what is forgotten here counts as others' again. */
  readonly #ownBytes = new Map<string, number>();
  #flushing: Promise<void> | undefined;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /** Adds an id whose record is durable. Never rejects for what the disk does. */
  note(ulid: string): Promise<void> {
    this.#noted++;
    if (this.#unwritten.length < UNWRITTEN_MAX) this.#unwritten.push(ulid);
    else this.#forgotten++;
    // Whoever else was waiting for the same directory fsync notes its id in this very turn.
    this.#flushing ??= Promise.resolve().then(() => this.#flush());
    return this.#flushing;
  }

  mark(): LedgerMark {
    const hour = this.#hour();
    return { noted: this.#noted, hour, othersBytes: this.#othersBytes(hour) };
  }

  /**
   * Captures of all processes since the mark, or more; infinite if that can not be told. This
   * object's own are counted exactly, whether or not they could be written and whatever the clock
   * did; those of others by the growth of the mark's file and of the present hour's.
   */
  countSince(mark: LedgerMark): number {
    const hour = this.#hour();
    const own = this.#noted - mark.noted;
    const others = this.#othersBytes(mark.hour) - mark.othersBytes;
    if (hour === mark.hour) return own + linesIn(others);
    // Only neighbouring hours are known to have no third one between them.
    if (Math.abs(hourMs(hour) - hourMs(mark.hour)) > HOUR_MS) return Number.POSITIVE_INFINITY;
    return own + linesIn(others) + linesIn(this.#othersBytes(hour));
  }

  /** Idempotent. */
  close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (!open) return;
    try {
      this.#parts.fs.close(open.fd);
    } catch (error) {
      // What was written is written, and the descriptor is gone whatever a close says.
      if (errnoOf(error) === undefined) throw error;
    }
  }

  /** Written anew only when it turns: it is asked for several times a capture. */
  #hour(): string {
    const number = Math.floor(this.#parts.clock.nowMs() / HOUR_MS);
    if (number !== this.#hourNumber) {
      this.#hourNumber = number;
      this.#hourName = utcHour(number * HOUR_MS);
    }
    return this.#hourName;
  }

  #unwrittenCount(): number {
    return this.#unwritten.length + this.#forgotten;
  }

  #flush(): void {
    this.#flushing = undefined;
    const lines = `${this.#unwritten.join("\n")}\n`;
    try {
      writeAllSync(this.#parts.fs, this.#current().fd, Buffer.from(lines, "latin1"));
      this.#unwritten = [];
      this.#failing = false;
      this.#countOwn(lines.length);
    } catch (error) {
      const errno = error instanceof MemspoolError ? "EINVAL" : errnoOf(error);
      if (errno === undefined) throw error;
      this.close();
      if (this.#failing) return;
      this.#failing = true;
      const count = this.#unwrittenCount();
      this.#parts.events.emit("ledger_write_failed", { errno, count });
    }
  }

  #countOwn(bytes: number): void {
    const hour = this.#hour();
    if (this.#ownBytes.size >= OWN_HOURS_MAX) this.#ownBytes.clear();
    this.#ownBytes.set(hour, (this.#ownBytes.get(hour) ?? 0) + bytes);
  }

  #othersBytes(hour: string): number {
    return this.#bytesOf(hour) - (this.#ownBytes.get(hour) ?? 0);
  }

  /** The file that this hour's path names now: it may have been removed, or the whole queue moved. */
  #current(): OpenLedger {
    const { fs, layout } = this.#parts;
    const path = ledgerPath(layout, this.#hour());
    if (this.#open?.path === path && factsIfThere(fs, path)?.ino === this.#open.ino) {
      return this.#open;
    }
    this.close();
    // Crash here: maybe an empty file, which readers accept.
    const fd = fs.openLog(path);
    this.#open = { path, fd, ino: INO_UNKNOWN }; // what fails from here on is closed with it
    const { kind, ino } = fs.factsOfDescriptor(fd);
    this.#open = { path, fd, ino };
    if (kind !== "file") throw notAFile(path, kind);
    return this.#open;
  }

  #bytesOf(hour: string): number {
    const { fs, layout } = this.#parts;
    try {
      return factsIfThere(fs, ledgerPath(layout, hour))?.bytes ?? 0;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return 0; // not readable now: nor was it then, or the next mark will tell
    }
  }
}

function hourMs(hour: string): number {
  const [, year, month, day, hours] = /^(\d{4})(\d{2})(\d{2})-(\d{2})$/.exec(hour) ?? [];
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hours));
}

/** A torn line counts as one: rather one place too few than one too many. */
function linesIn(bytes: number): number {
  return Math.max(0, Math.ceil(bytes / LEDGER_LINE_BYTES));
}

function notAFile(path: string, kind: string): MemspoolError {
  return new MemspoolError(
    "UNSAFE_PATH",
    `${path} is a ${kind}, not a regular file. Remove it: the ledger is written there.`,
    { details: { path } },
  );
}
