/**
 * Trims the done archive: removes its oldest files while the spool uses more than soft, or the disk is
 * nearly full.
 *
 *   look: use > soft? ──▶ oldest file of an earlier hour ──▶ its ids in the store? ──yes──▶ unlink ──┐
 *     ▲                       ▲                                   └──no──▶ held back, told once      │
 *     └── no, or none left ───┴───────────────────── still over soft ◀───────────────────────────────┘
 *
 * Guarantees: whole files or nothing; oldest hour first, and no more of them than needed; never a file of
 * the current UTC hour or a later one, never any other kind of file, never one with an id that the store
 * does not know as a record, an alias or forgotten. The store is asked anew for every file, through a
 * reader that notices when another file has taken its place: while it is away, or was deleted, nothing
 * goes. Depends on no batch and no import: it looks when asked, and by itself as often as its own cost
 * allows. Two at once are harmless: whoever finds a file gone looks anew before taking the next.
 * Does not guarantee that a file stays away after a power cut: then it is trimmed again. What can not
 * be read from a damaged file by anybody does not keep it.
 */
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { MemspoolError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import { type DurableFsSync, factsIfThere } from "../platform/durable-fs-sync.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import { readMembers } from "../queue/archive-file.ts";
import { lineUlid } from "../queue/archive-member.ts";
import { type DoneArchive, utcHour } from "../queue/done-archive.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { isTrimmableName } from "../queue/spool-meter.ts";
import { enoughFree, type SpoolUsage, softLimitBytes, usedBytes } from "../queue/spool-usage.ts";
import type { StoreReader } from "../store/memory-store.ts";
import { HeldBack, isUnchanged } from "./held-back.ts";
import type { TrimSettings } from "./ingest-messages.ts";
import type { TrimReport } from "./ingest-report.ts";

export interface TrimmingParts extends TrimSettings {
  readonly measure: () => Promise<SpoolUsage>;
  /** Never makes a store. */
  readonly openReader: () => Promise<TrimStore>;
  readonly storeIsThere: () => boolean;
}

/** What is asked of the store. */
export type TrimStore = Pick<StoreReader, "lookup" | "close">;

export interface TrimmerParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  /** Of this process: a file that it holds open gives no space back. */
  readonly archive?: Pick<DoneArchive, "close"> | undefined;
  /** Without it nothing is trimmed. */
  readonly trimming?: TrimmingParts | undefined;
}

/** Ids that the store is asked for at once; between two such questions others may have their turn. */
const LOOKUP_COUNT = 500;
/** A run ends after this, looks anew and goes on: what waits to be ingested goes in between. */
const RUN_MS_MAX = 500;
/** By itself it looks when this many times the cost of its last look has gone by: half a percent. */
const COST_FACTOR = 200;
/** However much a look costs, or however busy the machine is: it never waits for longer. */
export const LOOK_INTERVAL_MS_MAX = 10_000;
/** When it is asked to: five per cent, and only while there was something to trim. */
const ASKED_COST_FACTOR = 20;
const ASKED_MS_MIN = 250;
const ASKED_MS_MAX = 1_000;

interface Run {
  /** Bytes that are still to go. */
  excess: number;
  /** Of the archive: looked into, and removed. */
  read: number;
  files: number;
  bytes: number;
  readonly startedMs: number;
  reader: TrimStore | undefined;
  readonly isStopping: () => boolean;
}

export class Trimmer {
  readonly #parts: TrimmerParts;
  readonly #heldBack: HeldBack;
  #report: TrimReport | null = null;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #lookMs = 0;
  #asked = false;
  #foundSome = true;

  constructor(parts: TrimmerParts) {
    this.#parts = parts;
    this.#heldBack = new HeldBack(parts.clock);
  }

  /** null while nothing had to be trimmed. */
  get report(): TrimReport | null {
    return this.#report;
  }

  /** Somebody has seen that use is over soft. Cheap; may come at any rate. */
  ask(): void {
    this.#asked = true;
  }

  isDue(): boolean {
    if (this.#parts.trimming === undefined) return false;
    const sinceMs = this.#parts.clock.monotonicMs() - this.#lookedAtMs;
    if (this.#asked && this.#foundSome) {
      const askedMs = Math.max(ASKED_MS_MIN, ASKED_COST_FACTOR * this.#lookMs);
      return sinceMs >= Math.min(askedMs, ASKED_MS_MAX);
    }
    const intervalMs = Math.max(ASKED_MS_MIN, COST_FACTOR * this.#lookMs);
    return sinceMs >= Math.min(intervalMs, LOOK_INTERVAL_MS_MAX);
  }

  /**
   * Trims until use is at or under soft and the disk has room, nothing trimmable is left, or RUN_MS_MAX
   * has gone by.
   * Failures of disk and store end it: what they concern stays.
   * @returns whether there may be more to trim
   */
  async run(isStopping: () => boolean): Promise<boolean> {
    const { trimming, clock } = this.#parts;
    if (trimming === undefined || isStopping()) return false;
    const startedMs = clock.monotonicMs();
    this.#asked = false;
    const run: Run = {
      excess: 0,
      read: 0,
      files: 0,
      bytes: 0,
      startedMs,
      reader: undefined,
      isStopping,
    };
    let usage: SpoolUsage | undefined;
    try {
      // Before the look: what another trimmer removes in between shows as gone, and is not taken twice.
      const names = this.#candidates();
      usage = await trimming.measure();
      this.#looked(startedMs);
      run.excess = excessBytes(usage, trimming);
      return run.excess > 0 && (await this.#trim(run, names));
    } catch (error) {
      this.#looked(startedMs);
      if (errnoOf(error) === undefined && !(error instanceof MemspoolError)) throw error;
      return false; // the disk or the store: both are told of where they are used, and looked at again
    } finally {
      await run.reader?.close();
      if (usage !== undefined) this.#tell(run, usage);
    }
  }

  #looked(startedMs: number): void {
    this.#lookedAtMs = this.#parts.clock.monotonicMs();
    this.#lookMs = this.#lookedAtMs - startedMs;
  }

  /** Oldest first. @throws the system error of the directory */
  #candidates(): string[] {
    const { fs, layout, clock } = this.#parts;
    const hour = utcHour(clock.nowMs());
    return fs
      .names(layout.doneDir)
      .filter((name) => isTrimmableName(name, hour))
      .sort();
  }

  async #trim(run: Run, names: readonly string[]): Promise<boolean> {
    const { clock } = this.#parts;
    this.#report ??= { lastAtMs: 0, bytes: 0, heldBack: 0 };
    this.#heldBack.keepOnly(names);
    this.#foundSome = false;
    for (const name of names) {
      if (run.isStopping() || run.excess <= 0) return false;
      if (run.read > 0 && clock.monotonicMs() - run.startedMs > RUN_MS_MAX) return true;
      const outcome = await this.#trimFile(name, run);
      if (outcome === "removed") this.#foundSome = true;
      // Another process trims: what use is now, only a look can tell.
      if (outcome === "gone") return true;
      if (outcome === "no store") return false;
    }
    return false;
  }

  async #trimFile(name: string, run: Run): Promise<"removed" | "kept" | "gone" | "no store"> {
    const { fs, layout, clock } = this.#parts;
    const { storeIsThere } = this.#parts.trimming as TrimmingParts;
    const path = join(layout.doneDir, name);
    try {
      const facts = factsIfThere(fs, path);
      if (facts === undefined) return "gone";
      if (facts.kind !== "file" || this.#heldBack.has(name, facts)) return "kept";
      if (!storeIsThere()) return "no store";
      const missing = await this.#countMissing(path, run);
      if (run.isStopping()) return "kept";
      if (missing > 0) {
        this.#heldBack.add(name, facts, missing);
        return "kept";
      }
      const now = factsIfThere(fs, path);
      if (now === undefined) return "gone";
      if (!isUnchanged(facts, now)) return "kept"; // somebody writes into the past: next time
      if (!storeIsThere()) return "no store";
      if (!isTrimmableName(name, utcHour(clock.nowMs()))) return "kept"; // the clock was set back
      this.#heldBack.remove(name);
      this.#parts.archive?.close();
      fs.unlink(path); // Crash here: the whole file is gone, or comes back whole.
      run.files++;
      run.bytes += facts.bytes;
      run.excess -= facts.bytes;
      return "removed";
    } catch (error) {
      if (isErrno(error, "ENOENT")) return "gone";
      if (errnoOf(error) === undefined) throw error;
      const facts = factsIfThere(fs, path);
      if (facts) this.#heldBack.add(name, facts, "unreadable");
      return "kept";
    }
  }

  /** Ids in the file that the store lacks; not counted further once there are some. */
  async #countMissing(path: string, run: Run): Promise<number> {
    const { trimming, fs } = this.#parts;
    run.read++;
    run.reader ??= await (trimming as TrimmingParts).openReader();
    const { reader } = run;
    const missingOf = async (ulids: ReadonlySet<string>): Promise<number> => {
      const known = await reader.lookup([...ulids]);
      await nextTurn();
      return [...ulids].filter((ulid) => !known.has(ulid)).length;
    };
    let ulids = new Set<string>();
    for (const { lines } of readMembers(fs, path, { onSkipped: () => {} })) {
      for (const line of lines) {
        const ulid = lineUlid(line);
        if (ulid !== undefined) ulids.add(ulid);
      }
      if (ulids.size < LOOKUP_COUNT) continue;
      const missing = await missingOf(ulids);
      if (missing > 0 || run.isStopping()) return missing;
      ulids = new Set();
    }
    return await missingOf(ulids);
  }

  #tell(run: Run, usage: SpoolUsage): void {
    const { events, clock } = this.#parts;
    if (this.#report === null) return;
    const ms = Math.round(clock.monotonicMs() - run.startedMs);
    const { files, bytes } = run;
    const heldBack = this.#heldBack.bytes;
    if (files > 0 || heldBack !== this.#report.heldBack) {
      const lastAtMs = files > 0 ? clock.nowMs() : this.#report.lastAtMs;
      this.#report = { lastAtMs, bytes: this.#report.bytes + bytes, heldBack };
    }
    if (files > 0) {
      const left_bytes = usedBytes(usage) - bytes;
      events.emit("archive_trimmed", { files, bytes, left_bytes, ms });
    }
    const untold = this.#heldBack.takeUntold();
    if (untold.files > 0) events.emit("trim_held_back", untold);
  }
}

/** What is over soft, or what the disk lacks for hard to be over: the greater of the two. */
function excessBytes(usage: SpoolUsage, settings: TrimSettings): number {
  const { quotaBytes, softPct, freeBytesMin } = settings;
  const overSoft = usedBytes(usage) - softLimitBytes(quotaBytes, softPct);
  return Math.max(overSoft, Math.ceil(enoughFree(freeBytesMin)) - usage.freeBytes);
}
