/**
 * What this process appended and no look at the disk has counted yet.
 *
 * Guarantees: an id counts once, however often it is appended. Memory is bounded: beyond
 * ENTRIES_MAX the oldest are kept as a sum, which goes when a look began after the last of them.
 */

/** Whether a look saw an id. */
export type SeenUlids = Pick<ReadonlySet<string>, "has">;

interface Append {
  readonly ulid: string;
  readonly bytes: number;
  /** When it ended, on the monotonic clock. */
  readonly atMs: number;
}

const ENTRIES_MAX = 65_536;

export class OwnAppends {
  /** In the order in which they ended. */
  readonly #appends = new Map<string, Append>();
  #summed = { count: 0, bytes: 0, untilMs: Number.NEGATIVE_INFINITY };
  #bytes = 0;
  /** Of the last look: also who was in flight then and ends later was counted by it. */
  #seen: SeenUlids = new Set<string>();

  get count(): number {
    return this.#appends.size + this.#summed.count;
  }

  get bytes(): number {
    return this.#bytes + this.#summed.bytes;
  }

  add(ulid: string, bytes: number, atMs: number): void {
    if (this.#seen.has(ulid) || this.#appends.has(ulid)) return;
    this.#appends.set(ulid, { ulid, bytes, atMs });
    this.#bytes += bytes;
    if (this.#appends.size > ENTRIES_MAX) this.#sumOldest();
  }

  /**
   * A look counted what had ended when it began, wherever it lay, and these.
   * @param beganAtMs on the monotonic clock
   */
  seen(beganAtMs: number, ulids: SeenUlids): void {
    this.#seen = ulids;
    for (const { ulid, bytes, atMs } of this.#appends.values()) {
      if (atMs >= beganAtMs && !ulids.has(ulid)) continue;
      this.#appends.delete(ulid);
      this.#bytes -= bytes;
    }
    if (this.#summed.untilMs < beganAtMs) {
      this.#summed = { count: 0, bytes: 0, untilMs: Number.NEGATIVE_INFINITY };
    }
  }

  #sumOldest(): void {
    const [oldest] = this.#appends.values();
    if (oldest === undefined) return;
    const { ulid, bytes, atMs } = oldest;
    this.#appends.delete(ulid);
    this.#bytes -= bytes;
    const { count, bytes: summed } = this.#summed;
    this.#summed = { count: count + 1, bytes: summed + bytes, untilMs: atMs };
  }
}
