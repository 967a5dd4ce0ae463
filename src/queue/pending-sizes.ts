/**
 * Sizes of all pending envelopes, for a thread that has other things to do.
 *
 *   directory unchanged ──▶ what is known
 *   changed ──▶ list ──▶ walk along the names known so far ──▶ look at those that are new
 *
 * Guarantees: a look sees every envelope that was there before it began and still is. A size is looked
 * at once, because it never changes under its name. What a look gave out stays as it is.
 * Both sides of the walk are sorted, so that it takes one comparison a name and hashes nothing: a file
 * system's listing comes sorted from libuv, and one that is not is sorted first.
 */
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { sizesIn, sum } from "./file-sizes.ts";
import { pendingName, pendingUlid, type QueueLayout } from "./layout.ts";
import { WatchedNames } from "./watched-names.ts";

export interface PendingSizesParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  readonly clock: Clock;
}

export interface PendingSizesLook {
  readonly count: number;
  readonly bytes: number;
  /** Names in the directory that are no envelope's. */
  readonly others: readonly string[];
  has(ulid: string): boolean;
}

interface Listing {
  /** Names of envelopes, sorted. */
  readonly names: readonly string[];
  /** Of each; 0 while it is not known. */
  readonly bytes: number[];
  readonly others: readonly string[];
}

export class PendingSizes {
  readonly #parts: PendingSizesParts;
  readonly #watched: WatchedNames<Listing>;
  #listing: Listing = { names: [], bytes: [], others: [] };

  constructor(parts: PendingSizesParts) {
    this.#parts = parts;
    const { fs, clock, layout } = parts;
    this.#watched = new WatchedNames({
      ...{ fs, clock, directory: layout.dir },
      sort: (names) => {
        this.#listing = walk(this.#listing, names) ?? resorted(this.#listing, names);
        return this.#listing;
      },
    });
  }

  /** @throws the system error of the directory or of an envelope that is there */
  async look(): Promise<PendingSizesLook> {
    const { fs, layout } = this.#parts;
    const listing = await this.#watched.current();
    const { names, bytes, others } = listing;
    const unknown = unknownOf(listing);
    const sizes = await sizesIn(fs, layout.dir, unknown.map(nameAt(names)));
    // One that left before its size was seen may come back: it stays unknown.
    for (const [nth, at] of unknown.entries()) bytes[at] = sizes[nth] ?? 0;
    const has = (ulid: string) => includesSorted(names, pendingName(ulid));
    return { count: names.length, bytes: sum(bytes), others, has };
  }
}

/** undefined if the names are not sorted. */
function walk(known: Listing, names: readonly string[]): Listing | undefined {
  const next = { names: [] as string[], bytes: [] as number[], others: [] as string[] };
  let at = 0;
  let before = "";
  for (const name of names) {
    let candidate = known.names[at];
    while (candidate !== undefined && candidate !== name && candidate < name) {
      candidate = known.names[++at]; // it has left
    }
    if (candidate === name) {
      next.names.push(name);
      next.bytes.push(known.bytes[at++] ?? 0);
    } else if (name < before) {
      return undefined;
    } else if (pendingUlid(name) === undefined) {
      next.others.push(name);
    } else if (name !== before) {
      next.names.push(name);
      next.bytes.push(0);
    }
    before = name;
  }
  return next;
}

function resorted(known: Listing, names: readonly string[]): Listing {
  const listing = walk(known, [...names].sort());
  if (listing === undefined) throw new TypeError("sorted names are not sorted");
  return listing;
}

function unknownOf({ bytes }: Listing): number[] {
  const unknown: number[] = [];
  for (let at = 0; at < bytes.length; at++) if (!bytes[at]) unknown.push(at);
  return unknown;
}

function nameAt(names: readonly string[]) {
  return (at: number): string => names[at] as string;
}

function includesSorted(names: readonly string[], name: string): boolean {
  let from = 0;
  let to = names.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((names[middle] as string) < name) from = middle + 1;
    else to = middle;
  }
  return names[from] === name;
}
