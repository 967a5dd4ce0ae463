/**
 * Measures what the spool holds: looks at names and sizes, reads no content, changes nothing.
 *
 *   counted by the quota   pending envelopes, segments of spilled records, files of the done archive
 *   reported beside it     temp files (of writers, rewrites and purges; the reserve), the quarantine
 *                          with its reasons
 *   neither                ledgers, audit logs, marks, orders to forget, the lease, foreign names
 *
 * Guarantees: a file that lies in the spool for as long as a look lasts is counted once, whoever
 * wrote it and whenever; nothing of an earlier look is taken for use but the sizes of envelopes, which
 * never change under their name. A record moves from pending to a segment or to the archive, so the
 * places are looked at in this order and none is missed; if names left meanwhile, what they held may
 * have been counted twice, and the look is done again, at most ROUNDS_MAX times. The last one stands:
 * then it is too high by what moved while it lasted, and never too low.
 * Does not guarantee: a record that is being moved lies twice on the disk for some milliseconds, and
 * a look in between says so.
 */
import { dirname, join } from "node:path";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs, FreeSpace } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import { isArchiveName, utcHour } from "./done-archive.ts";
import { isLeftover, pendingPath, pendingUlid, type QueueLayout } from "./layout.ts";
import { parseSegmentName } from "./spill-segment.ts";
import type { SpoolUsage } from "./spool-usage.ts";

export const ROUNDS_MAX = 3;
/** What an estimate looks at; bigger places are scaled up from so many names, evenly spread. */
export const SAMPLED_ENVELOPES = 128;
export const SAMPLED_FILES = 128;
/** Calls under way at once; between such groups the thread is free for others. */
const GROUP = 32;

const RESERVE = /^\.reserve-\d$/;

export interface SpoolMeterParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  readonly clock: Clock;
}

export interface SpoolLook {
  readonly usage: SpoolUsage;
  /**
   * Ids whose envelope was seen: the look counts them, here or where they went. So it does with
   * every id that was durable when it began.
   */
  readonly pendingUlids: ReadonlySet<string>;
}

interface Names {
  readonly ulids: readonly string[];
  readonly segments: readonly string[];
  /** Paths. */
  readonly temps: readonly string[];
}

type Archived = Pick<SpoolUsage, "doneBytes" | "trimmableBytes">;

export class SpoolMeter {
  readonly #parts: SpoolMeterParts;
  /** Sizes of the envelopes that the last look saw. */
  #sizes: ReadonlyMap<string, number> = new Map();

  constructor(parts: SpoolMeterParts) {
    this.#parts = parts;
  }

  /** @throws the system error of a directory or file that is there and can not be looked at */
  async measure(): Promise<SpoolLook> {
    const { layout } = this.#parts;
    const atMs = this.#parts.clock.monotonicMs();
    const pendingUlids = new Set<string>();
    let names = await this.#names();
    for (let round = 1; ; round++) {
      for (const ulid of names.ulids) pendingUlids.add(ulid);
      const sizes = await this.#envelopeSizes(names.ulids);
      const spilledBytes = sum(await this.#sizesIn(layout.overflowDir, names.segments));
      const archived = await this.#archived();
      const now = await this.#names();
      if (round < ROUNDS_MAX && someLeft(names, now)) {
        names = now;
        continue;
      }
      this.#sizes = sizes;
      const usage = {
        atMs,
        pendingBytes: sum(sizes.values()),
        pendingCount: names.ulids.length,
        spilledBytes,
        ...archived,
        tempBytes: sum(await this.#sizesOf(names.temps)),
        quarantineBytes: await this.#quarantineBytes(),
        ...(await this.#space()),
      };
      return { usage, pendingUlids };
    }
  }

  /**
   * Much cheaper and less exact, for a process that lives only for a moment: sizes of big places are
   * scaled up from a sample; temp files and quarantine are left out; what moves may count twice.
   * @throws as {@link SpoolMeter.measure}
   */
  async estimate(): Promise<SpoolUsage> {
    const { layout, clock } = this.#parts;
    const atMs = clock.monotonicMs();
    const ulids = (await this.#namesIn(layout.dir)).flatMap((name) => pendingUlid(name) ?? []);
    const envelopes = sample(ulids, SAMPLED_ENVELOPES);
    const paths = envelopes.names.map((ulid) => pendingPath(layout, ulid));
    const pendingBytes = sum(await this.#sizesOf(paths)) * envelopes.factor;
    const segments = sample(await this.#segments(), SAMPLED_ENVELOPES);
    const spilled = sum(await this.#sizesIn(layout.overflowDir, segments.names));
    const archived = await this.#archived(SAMPLED_FILES);
    return {
      atMs,
      pendingBytes: Math.round(pendingBytes),
      pendingCount: ulids.length,
      spilledBytes: Math.round(spilled * segments.factor),
      ...archived,
      tempBytes: 0,
      quarantineBytes: 0,
      ...(await this.#space()),
    };
  }

  async #names(): Promise<Names> {
    const { layout } = this.#parts;
    const ulids: string[] = [];
    const temps: string[] = [];
    for (const name of await this.#namesIn(layout.dir)) {
      const ulid = pendingUlid(name);
      if (ulid !== undefined) ulids.push(ulid);
      else if (isLeftover(name) || RESERVE.test(name)) temps.push(join(layout.dir, name));
    }
    const segments: string[] = [];
    for (const name of await this.#namesIn(layout.overflowDir)) {
      if (parseSegmentName(name)) segments.push(name);
      else if (isLeftover(name)) temps.push(join(layout.overflowDir, name));
    }
    for (const dir of [layout.doneDir, layout.ingesterDir]) {
      const leftovers = (await this.#namesIn(dir)).filter(isLeftover);
      temps.push(...leftovers.map((name) => join(dir, name)));
    }
    return { ulids, segments, temps };
  }

  async #segments(): Promise<string[]> {
    const names = await this.#namesIn(this.#parts.layout.overflowDir);
    return names.filter((name) => parseSegmentName(name) !== undefined);
  }

  async #envelopeSizes(ulids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    // One that left before its size was seen may have come back: nothing is known of it.
    const unknown = ulids.filter((ulid) => !this.#sizes.get(ulid));
    const bytes = await this.#sizesOf(unknown.map((ulid) => pendingPath(this.#parts.layout, ulid)));
    const found = new Map(unknown.map((ulid, at) => [ulid, bytes[at] ?? 0]));
    return new Map(ulids.map((ulid) => [ulid, found.get(ulid) ?? this.#sizes.get(ulid) ?? 0]));
  }

  /** @param countMax files that are looked at; more are scaled up from them */
  async #archived(countMax = Number.POSITIVE_INFINITY): Promise<Archived> {
    const { layout, clock } = this.#parts;
    const hour = utcHour(clock.nowMs());
    const all = (await this.#namesIn(layout.doneDir)).filter(isArchiveName);
    const { names, factor } = sample(all, countMax);
    const sizes = await this.#sizesIn(layout.doneDir, names);
    const old = sizes.filter((_, at) => isTrimmableName(names[at] as string, hour));
    return {
      doneBytes: Math.round(sum(sizes) * factor),
      trimmableBytes: Math.round(sum(old) * factor),
    };
  }

  async #quarantineBytes(): Promise<number> {
    const { quarantineDir } = this.#parts.layout;
    return sum(await this.#sizesIn(quarantineDir, await this.#namesIn(quarantineDir)));
  }

  /** Of the queue's directory, or of the nearest one above it that is there. */
  async #space(): Promise<FreeSpace> {
    for (let path = this.#parts.layout.dir; ; path = dirname(path)) {
      try {
        return await this.#parts.fs.space(path);
      } catch (error) {
        if (!isErrno(error, "ENOENT") || dirname(path) === path) throw error;
      }
    }
  }

  /** A directory that is not there holds nothing. */
  async #namesIn(directory: string): Promise<string[]> {
    try {
      return await this.#parts.fs.names(directory);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  }

  #sizesIn(directory: string, names: readonly string[]): Promise<number[]> {
    return this.#sizesOf(names.map((name) => join(directory, name)));
  }

  async #sizesOf(paths: readonly string[]): Promise<number[]> {
    const sizes: number[] = [];
    for (let from = 0; from < paths.length; from += GROUP) {
      const group = paths.slice(from, from + GROUP);
      sizes.push(...(await Promise.all(group.map((path) => this.#sizeOf(path)))));
    }
    return sizes;
  }

  /** Only a regular file has a size here; one that has left has none. */
  async #sizeOf(path: string): Promise<number> {
    try {
      const { kind, bytes } = await this.#parts.fs.facts(path);
      return kind === "file" ? bytes : 0;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return 0;
      throw error;
    }
  }
}

/** True for an archive file of an hour before the given one, as utcHour gives it. */
export function isTrimmableName(name: string, hour: string): boolean {
  return isArchiveName(name) && name.slice(0, hour.length) < hour;
}

function someLeft(before: Names, now: Names): boolean {
  const there = new Set([...now.ulids, ...now.segments]);
  return [...before.ulids, ...before.segments].some((name) => !there.has(name));
}

/** Evenly spread, and how much bigger the whole is. */
function sample(names: readonly string[], countMax: number) {
  if (names.length <= countMax) return { names, factor: 1 };
  const step = names.length / countMax;
  const sampled = Array.from({ length: countMax }, (_, at) => names[Math.floor(at * step)] ?? "");
  return { names: sampled, factor: step };
}

function sum(sizes: Iterable<number>): number {
  let total = 0;
  for (const bytes of sizes) total += bytes;
  return total;
}
