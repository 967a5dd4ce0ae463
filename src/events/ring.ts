/**
 * The last so many of something, in memory that does not grow.
 *
 * Guarantees: holds at most `countMax`, the oldest go first; every call takes the same short time
 * however long it has been in use, but for reading all of it.
 */
export class Ring<T> {
  readonly #countMax: number;
  #items: T[] = [];
  /** Where the oldest is, once full. */
  #oldest = 0;

  constructor(countMax: number) {
    if (!Number.isSafeInteger(countMax) || countMax < 1) {
      throw new TypeError(`a ring holds at least one, not ${countMax}`);
    }
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#items.length;
  }

  /** @returns whether the oldest had to go */
  push(item: T): boolean {
    if (this.#items.length < this.#countMax) {
      this.#items.push(item);
      return false;
    }
    this.#items[this.#oldest] = item;
    this.#oldest = (this.#oldest + 1) % this.#countMax;
    return true;
  }

  /** Oldest first; the ring stays as it is. */
  all(): T[] {
    return [...this.#items.slice(this.#oldest), ...this.#items.slice(0, this.#oldest)];
  }

  /** Oldest first; the ring is empty afterwards. */
  take(): T[] {
    const items = this.all();
    this.#items = [];
    this.#oldest = 0;
    return items;
  }
}
