/**
 * Files of the done archive that could not be trimmed, and when to look at them again.
 *
 * Guarantees: one that stays as it is is read once in HELD_BACK_MS at most, and told once.
 */
import type { Clock } from "../platform/clock.ts";
import type { FileFacts } from "../platform/durable-fs.ts";

export const HELD_BACK_MS = 60_000;

interface Held {
  readonly facts: FileFacts;
  readonly atMs: number;
}

/** Fields of the event `trim_held_back`. */
export interface Untold {
  files: number;
  missing: number;
  unreadable: number;
}

export class HeldBack {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  #untold: Untold = { files: 0, missing: 0, unreadable: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of files that are held back now, or were when last looked at. */
  get bytes(): number {
    let total = 0;
    for (const { facts } of this.#held.values()) total += facts.bytes;
    return total;
  }

  /** True while the file is as it was and was looked at a moment ago. */
  has(name: string, facts: FileFacts): boolean {
    const held = this.#held.get(name);
    if (held === undefined || !isUnchanged(held.facts, facts)) return false;
    return this.#clock.monotonicMs() - held.atMs < HELD_BACK_MS;
  }

  /** @param why ids that the store lacks, or that the file can not be read or removed */
  add(name: string, facts: FileFacts, why: number | "unreadable"): void {
    const before = this.#held.get(name);
    this.#held.set(name, { facts, atMs: this.#clock.monotonicMs() });
    if (before && isUnchanged(before.facts, facts)) return;
    this.#untold.files++;
    if (why === "unreadable") this.#untold.unreadable++;
    else this.#untold.missing += why;
  }

  /** It may go now. */
  remove(name: string): void {
    this.#held.delete(name);
  }

  /** Forgets those that are gone. */
  keepOnly(names: readonly string[]): void {
    const there = new Set(names);
    for (const name of this.#held.keys()) if (!there.has(name)) this.#held.delete(name);
  }

  /** What has been held back since it was last asked. */
  takeUntold(): Untold {
    const untold = this.#untold;
    this.#untold = { files: 0, missing: 0, unreadable: 0 };
    return untold;
  }
}

export function isUnchanged(before: FileFacts, now: FileFacts): boolean {
  return (
    before.ino === now.ino &&
    before.dev === now.dev &&
    before.bytes === now.bytes &&
    before.mtimeMs === now.mtimeMs
  );
}
