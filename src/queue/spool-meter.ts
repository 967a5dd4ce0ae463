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
 * never change under their name, and the names in a directory that is proven unchanged. A record moves
 * from pending to a segment or to the archive, so the places are looked at in this order and none is
 * missed; if something arrived in the later ones meanwhile, it may have been counted twice, and the
 * look is done again, at most ROUNDS_MAX times. The last one stands: then it is too high by what moved
 * while it lasted, and never too low.
 * Does not guarantee: a record that is being moved lies twice on the disk for some milliseconds, and
 * a look in between says so. What is reported beside the quota is up to BESIDE_EVERY_MS old.
 */
import { dirname } from "node:path";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs, FreeSpace } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import { isArchiveName, utcHour } from "./done-archive.ts";
import { namesIn, sizesIn, sum } from "./file-sizes.ts";
import { isLeftover, pendingName, pendingUlid, type QueueLayout } from "./layout.ts";
import { PendingSizes, type PendingSizesLook } from "./pending-sizes.ts";
import { parseSegmentName } from "./spill-segment.ts";
import type { SpoolUsage } from "./spool-usage.ts";

export const ROUNDS_MAX = 3;
const BESIDE_EVERY_MS = 10_000;
/** What an estimate looks at; bigger places are scaled up from so many names, evenly spread. */
export const SAMPLED_COUNT = 128;

const RESERVE = /^\.reserve-\d$/;
const HOUR_MS = 3_600_000;

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
  readonly pendingUlids: Pick<ReadonlySet<string>, "has">;
}

/** Of one directory, as it was looked at. */
interface Place {
  readonly names: readonly string[];
  readonly sizes: readonly number[];
  /** Names of other files in it. */
  readonly others: readonly string[];
}

type Beside = Pick<SpoolUsage, "tempBytes" | "quarantineBytes">;

export class SpoolMeter {
  readonly #parts: SpoolMeterParts;
  readonly #pending: PendingSizes;
  #beside: (Beside & { readonly atMs: number }) | undefined;

  constructor(parts: SpoolMeterParts) {
    this.#parts = parts;
    this.#pending = new PendingSizes(parts);
  }

  /** @throws the system error of a directory or file that is there and can not be looked at */
  async measure(): Promise<SpoolLook> {
    const { clock, layout } = this.#parts;
    const atMs = clock.monotonicMs();
    const seen: PendingSizesLook[] = [];
    let arrived = await this.#arrived();
    for (let round = 1; ; round++) {
      const pending = await this.#pending.look();
      seen.push(pending);
      const spilled = await this.#look(layout.overflowDir, isSegmentName);
      const done = await this.#look(layout.doneDir, isArchiveName);
      const arrivedNow = this.#arrivals(spilled, done);
      if (round < ROUNDS_MAX && arrivedNow !== arrived) {
        arrived = arrivedNow;
        continue;
      }
      const usage = {
        atMs,
        pendingBytes: pending.bytes,
        pendingCount: pending.count,
        spilledBytes: sum(spilled.sizes),
        doneBytes: sum(done.sizes),
        trimmableBytes: this.#trimmableBytes(done),
        ...(await this.#besideNow(atMs, { pending, spilled, done })),
        ...(await this.#space()),
      };
      return { usage, pendingUlids: { has: (ulid) => seen.some((look) => look.has(ulid)) } };
    }
  }

  /**
   * Much cheaper and less exact, for a process that lives only for a moment: sizes of big places are
   * scaled up from a sample; temp files and quarantine are left out; what moves may count twice.
   * @throws as {@link SpoolMeter.measure}
   */
  async estimate(): Promise<SpoolUsage> {
    const { fs, layout, clock } = this.#parts;
    const atMs = clock.monotonicMs();
    const ulids = (await namesIn(fs, layout.dir)).flatMap((name) => pendingUlid(name) ?? []);
    const envelopes = sample(ulids, SAMPLED_COUNT);
    const pendingBytes = sum(await sizesIn(fs, layout.dir, envelopes.names.map(pendingName)));
    const spilled = await this.#look(layout.overflowDir, isSegmentName, SAMPLED_COUNT);
    const done = await this.#look(layout.doneDir, isArchiveName, SAMPLED_COUNT);
    return {
      atMs,
      pendingBytes: Math.round(pendingBytes * envelopes.factor),
      pendingCount: ulids.length,
      spilledBytes: Math.round(sum(spilled.sizes) * spilled.factor),
      doneBytes: Math.round(sum(done.sizes) * done.factor),
      trimmableBytes: Math.round(this.#trimmableBytes(done) * done.factor),
      tempBytes: 0,
      quarantineBytes: 0,
      ...(await this.#space()),
    };
  }

  /** @param countMax files that are looked at; more are scaled up from them */
  async #look(
    directory: string,
    isOurs: (name: string) => boolean,
    countMax = Number.POSITIVE_INFINITY,
  ) {
    const { fs } = this.#parts;
    const ours: string[] = [];
    const others: string[] = [];
    for (const name of await namesIn(fs, directory)) (isOurs(name) ? ours : others).push(name);
    const { names, factor } = sample(ours, countMax);
    return { names, sizes: await sizesIn(fs, directory, names), others, factor };
  }

  /** What tells whether a record may have arrived where it goes from pending. */
  async #arrived(): Promise<string> {
    const { fs, layout } = this.#parts;
    const lastHour = this.#hour(-HOUR_MS);
    const [spilled, done] = await Promise.all([
      namesIn(fs, layout.overflowDir),
      namesIn(fs, layout.doneDir),
    ]);
    const growing = done.filter((name) => isArchiveName(name) && !isOfBefore(name, lastHour));
    const sizes = await sizesIn(fs, layout.doneDir, growing);
    return signature(spilled.filter(isSegmentName), growing, sizes);
  }

  /**
   * The same, of places that were looked at. A batch goes to a file of its hour, and one that began
   * before the hour's end to one of the last hour: only these may have grown.
   */
  #arrivals(spilled: Place, { names, sizes }: Place): string {
    const lastHour = this.#hour(-HOUR_MS);
    const isGrowing = (at: number) => !isOfBefore(names[at] ?? "", lastHour);
    return signature(
      spilled.names,
      names.filter((_, at) => isGrowing(at)),
      sizes.filter((_, at) => isGrowing(at)),
    );
  }

  #trimmableBytes({ names, sizes }: Place): number {
    const hour = this.#hour();
    return sum(sizes.filter((_, at) => isOfBefore(names[at] ?? "", hour)));
  }

  #hour(offsetMs = 0): string {
    return utcHour(this.#parts.clock.nowMs() + offsetMs);
  }

  async #besideNow(
    atMs: number,
    { pending, spilled, done }: { pending: PendingSizesLook; spilled: Place; done: Place },
  ): Promise<Beside> {
    const { fs, layout } = this.#parts;
    if (this.#beside === undefined || atMs - this.#beside.atMs >= BESIDE_EVERY_MS) {
      const isTemp = (name: string) => isLeftover(name) || RESERVE.test(name);
      const temps = async (directory: string, names: readonly string[], isOne = isLeftover) =>
        sum(await sizesIn(fs, directory, names.filter(isOne)));
      const { dir, overflowDir, doneDir, ingesterDir, quarantineDir } = layout;
      const tempBytes =
        (await temps(dir, pending.others, isTemp)) +
        (await temps(overflowDir, spilled.others)) +
        (await temps(doneDir, done.others)) +
        (await temps(ingesterDir, await namesIn(fs, ingesterDir)));
      const quarantined = await namesIn(fs, quarantineDir);
      const quarantineBytes = sum(await sizesIn(fs, quarantineDir, quarantined));
      this.#beside = { atMs, tempBytes, quarantineBytes };
    }
    const { tempBytes, quarantineBytes } = this.#beside;
    return { tempBytes, quarantineBytes };
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
}

/** True for an archive file of an hour before the given one, as utcHour gives it. */
export function isTrimmableName(name: string, hour: string): boolean {
  return isArchiveName(name) && isOfBefore(name, hour);
}

function isOfBefore(archiveName: string, hour: string): boolean {
  return archiveName.slice(0, hour.length) < hour;
}

function isSegmentName(name: string): boolean {
  return parseSegmentName(name) !== undefined;
}

function signature(...lists: readonly (readonly unknown[])[]): string {
  return lists.map((list) => [...list].join(" ")).join("/");
}

/** Evenly spread, and how much bigger the whole is. */
function sample(names: readonly string[], countMax: number) {
  if (names.length <= countMax) return { names, factor: 1 };
  const step = names.length / countMax;
  const sampled = Array.from({ length: countMax }, (_, at) => names[Math.floor(at * step)] ?? "");
  return { names: sampled, factor: step };
}
