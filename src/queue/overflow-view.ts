/**
 * One process's picture of what is spilled, by whichever process: how much, where an id is, and, for
 * search, the texts.
 *
 * Guarantees: `segments` sees every segment that was published before it was called, unless its
 * records have reached the store by then; the directory is listed again only when it may have
 * changed. Only verified records are given out; the rest of a damaged segment counts as `unloaded`.
 * Texts are kept up to a bound, by segment: a segment never changes, so it is read once for as long
 * as it lies there. Decoding serves others in between, member by member. Changes nothing on disk.
 *
 * A segment that is gone between its listing and its reading has been ingested: its records are in
 * the store, where readers look next.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { MemspoolError } from "../errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { decodeMembers, lineUlid } from "./archive-member.ts";
import type { QueueLayout } from "./layout.ts";
import type { PendingText, PendingTexts, TextLimits } from "./pending-view.ts";
import { lookAtSegmentFile, type SegmentLook } from "./segment-file.ts";
import { readSegmentLine, type SegmentName, sortSegments } from "./spill-segment.ts";
import { WatchedNames } from "./watched-names.ts";

/** Beside the bound on pending texts. */
const SPILL_TEXT_BYTES_MAX = 32 * 1_048_576;

/** What the spill holds of an id. */
export type SpilledLook =
  | { readonly envelope: PendingText; readonly fault?: undefined }
  | {
      readonly envelope?: undefined;
      readonly fault: MemspoolError;
      /** The damaged line says this id; otherwise it may have been in what can not be read. */
      readonly named: boolean;
    };

interface LoadedSegment {
  readonly texts: readonly PendingText[];
  /** Of the texts, in memory. */
  readonly bytes: number;
}

/** A segment whose texts are not used, and why: for the size, what there is room for at most. */
type NotLoaded = "gone" | "unreadable" | "too large";

export class OverflowView {
  readonly #fs: DurableFs;
  readonly #layout: QueueLayout;
  readonly #textBytesMax: number;
  readonly #names: WatchedNames<readonly SegmentName[]>;
  readonly #hidden: () => Promise<ReadonlySet<string>>;
  #loaded = new Map<string, LoadedSegment>();
  /** Segments that did not fit into this much room. */
  #tooLarge = new Map<string, number>();
  #loading: Promise<unknown> = Promise.resolve();

  constructor(fs: DurableFs, layout: QueueLayout, clock: Clock, limits: TextLimits = {}) {
    this.#fs = fs;
    this.#layout = layout;
    this.#names = new WatchedNames({
      fs,
      clock,
      directory: layout.overflowDir,
      sort: sortSegments,
    });
    this.#textBytesMax = limits.textBytesMax ?? SPILL_TEXT_BYTES_MAX;
    this.#hidden = limits.hidden ?? (async () => new Set());
  }

  /** Oldest first. @throws the system error of the directory */
  segments(): Promise<readonly SegmentName[]> {
    return this.#names.current();
  }

  /** Spilled records, by the names of the segments alone. */
  async count(): Promise<number> {
    return (await this.segments()).reduce((sum, { count }) => sum + count, 0);
  }

  /** Reads only segments whose range holds the id; undefined if it is in none of them. */
  async find(ulid: string): Promise<SpilledLook | undefined> {
    let fault: SpilledLook | undefined;
    for (const segment of await this.segments()) {
      if (ulid < segment.first || ulid > segment.last) continue;
      const look = await this.#findIn(segment, ulid);
      if (look?.envelope) return look;
      if (!fault || look?.named) fault = look ?? fault;
    }
    return fault;
  }

  /** The texts of all segments that fit, each record once, and how many records are missing. */
  texts(): Promise<PendingTexts> {
    // One after another: the second finds what the first has read.
    const texts = this.#loading.then(() => this.#loadTexts());
    this.#loading = texts.catch(() => {}); // its own caller hears of it
    return texts;
  }

  async #loadTexts(): Promise<PendingTexts> {
    const hidden = await this.#hidden();
    const loaded = new Map<string, LoadedSegment>();
    const tooLarge = new Map<string, number>();
    const envelopes = new Map<string, PendingText>();
    let bytes = 0;
    let unloaded = 0;
    let full = false;
    for (const segment of await this.segments()) {
      const room = this.#textBytesMax - bytes;
      // Once one did not fit no further one is read: each question would read them all again.
      const look = full ? "too large" : await this.#load(segment, room);
      if (look === "gone") continue;
      if (typeof look === "string") {
        unloaded += segment.count;
        if (look !== "too large") continue;
        if (!full) tooLarge.set(segment.name, room);
        full = true;
        continue;
      }
      bytes += look.bytes;
      loaded.set(segment.name, look);
      unloaded += Math.max(0, segment.count - look.texts.length);
      for (const envelope of look.texts) {
        if (!hidden.has(envelope.ulid)) envelopes.set(envelope.ulid, envelope);
      }
    }
    this.#loaded = loaded;
    this.#tooLarge = tooLarge;
    return { envelopes: [...envelopes.values()], unloaded };
  }

  async #load(segment: SegmentName, room: number): Promise<LoadedSegment | NotLoaded> {
    const known = this.#loaded.get(segment.name);
    if (known) return known.bytes <= room ? known : "too large";
    if ((this.#tooLarge.get(segment.name) ?? -1) >= room) return "too large";
    const file = await this.#read(segment);
    if (!file) return "gone";
    if (!file.bytes) return "unreadable";
    const texts: PendingText[] = [];
    let bytes = 0;
    for (const { lines } of decodeMembers(file.bytes, () => {})) {
      for (const line of lines) {
        const { envelope } = readSegmentLine(line);
        if (!envelope) continue; // counts as unloaded
        const { ulid, appendedAt, record, sha256, recordJson } = envelope;
        texts.push({ ulid, appendedAt, record, sha256 });
        bytes += 2 * recordJson.length;
      }
      if (bytes > room) return "too large";
      await nextTurn();
    }
    return { texts, bytes };
  }

  async #findIn(segment: SegmentName, ulid: string): Promise<SpilledLook | undefined> {
    const known = this.#loaded.get(segment.name);
    const envelope = known?.texts.find((text) => text.ulid === ulid);
    if (envelope) return { envelope };
    if (known?.texts.length === segment.count) return undefined;
    const file = await this.#read(segment);
    if (!file) return undefined;
    if (!file.bytes) return { fault: unreadable(segment, file.obstacle), named: false };
    let damaged = false;
    let fault: SpilledLook | undefined;
    const onSkipped = () => {
      damaged = true;
    };
    for (const { lines } of decodeMembers(file.bytes, onSkipped)) {
      for (const line of lines) {
        const named = lineUlid(line);
        if (named !== undefined && named !== ulid) continue;
        const look = readSegmentLine(line);
        if (look.envelope) return { envelope: look.envelope };
        if (named) fault = { fault: look.fault.error, named: true };
        else damaged = true;
      }
      await nextTurn();
    }
    return (
      fault ?? (damaged ? { fault: unreadable(segment, "it is damaged"), named: false } : undefined)
    );
  }

  #read({ name }: SegmentName): Promise<SegmentLook | undefined> {
    return lookAtSegmentFile(this.#fs, this.#layout, name);
  }
}

function unreadable({ name }: SegmentName, why: string): MemspoolError {
  return new MemspoolError(
    "ENVELOPE_UNREADABLE",
    `The record may be in the spilled segment overflow/${name}, which can not be read whole ` +
      `(${why}). See \`memspool doctor\`.`,
    { details: { segment: name } },
  );
}
