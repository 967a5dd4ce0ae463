/**
 * Distinct ids and where each was found, in a fixed amount of memory.
 *
 * An open-addressing table on typed arrays, 18 bytes a slot. It grows by doubling up to a bound. When
 * it is full beyond that, it halves what it is responsible for: ids whose hash falls into the other
 * half are forgotten, refused from then on, and left to another pass over the same sources with a
 * table for that half. Halves can be halved again.
 *
 * Guarantees: every id belongs to the table of exactly one part; within its part each id is held once,
 * with every flag that was added.
 */
import { ID_WORDS } from "./id-words.ts";

/** Ids whose hash, in its lowest `bits` bits, is `value`. */
export interface Part {
  readonly bits: number;
  readonly value: number;
}

export const WHOLE: Part = { bits: 0, value: 0 };

export interface TableLimits {
  /** A power of two. */
  readonly slotsMax: number;
}

/** 75 MB, and for a moment half as much again; some three million ids. */
export const TABLE_LIMITS: TableLimits = { slotsMax: 4_194_304 };

const SLOTS_MIN = 64;
/** Beyond three slots of four in use, looking for a free one takes long. */
const FILL_MAX = 0.75;

export class IdTable {
  readonly #slotsMax: number;
  readonly #onSplit: (other: Part) => void;
  #part: Part;
  #words: Uint32Array;
  /** 0 is a free slot. */
  #flags: Uint16Array;
  #mask: number;
  #count = 0;

  /** @param onSplit told each part that this table gives up */
  constructor(part: Part, limits: TableLimits, onSplit: (other: Part) => void) {
    this.#part = part;
    this.#slotsMax = Math.max(limits.slotsMax, SLOTS_MIN);
    this.#onSplit = onSplit;
    this.#words = new Uint32Array(SLOTS_MIN * ID_WORDS);
    this.#flags = new Uint16Array(SLOTS_MIN);
    this.#mask = SLOTS_MIN - 1;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Adds a flag to an id, and the id if it is new.
   * @param flags not 0
   * @returns false if the id is another part's
   */
  add(id: Uint32Array, flags: number): boolean {
    if (!this.#isMine(id, 0)) return false;
    const slot = this.#slotOf(id, 0);
    if (this.#flags[slot] === 0) {
      this.#words.set(id, slot * ID_WORDS);
      this.#count++;
    }
    this.#flags[slot] = (this.#flags[slot] as number) | flags;
    if (this.#count > (this.#mask + 1) * FILL_MAX) this.#makeRoom();
    return true;
  }

  /** Adds a flag to an id that is there already. */
  addIfThere(id: Uint32Array, flags: number): void {
    if (!this.#isMine(id, 0)) return;
    const slot = this.#slotOf(id, 0);
    const before = this.#flags[slot] as number;
    if (before !== 0) this.#flags[slot] = before | flags;
  }

  /** Each id's flags; `words` holds the id from `at` on. Flags may be added meanwhile, ids not. */
  *entries(): Generator<{ readonly flags: number; readonly words: Uint32Array; at: number }> {
    for (let slot = 0; slot <= this.#mask; slot++) {
      const flags = this.#flags[slot] as number;
      if (flags !== 0) yield { flags, words: this.#words, at: slot * ID_WORDS };
    }
  }

  #makeRoom(): void {
    const slots = this.#mask + 1;
    if (slots < this.#slotsMax) {
      this.#refill(slots * 2);
      return;
    }
    // Ids of one part share `bits` bits of 32; that many equal hashes of different ids are no chance.
    const { bits, value } = this.#part;
    if (bits >= 31) throw new TypeError("ids can not be told apart by their hashes");
    this.#part = { bits: bits + 1, value };
    this.#onSplit({ bits: bits + 1, value: value + 2 ** bits });
    this.#refill(slots);
  }

  /** Into new arrays, without what belongs to another part now. */
  #refill(slots: number): void {
    const words = this.#words;
    const flags = this.#flags;
    this.#words = new Uint32Array(slots * ID_WORDS);
    this.#flags = new Uint16Array(slots);
    this.#mask = slots - 1;
    this.#count = 0;
    for (let from = 0; from < flags.length; from++) {
      const at = from * ID_WORDS;
      if (flags[from] === 0 || !this.#isMine(words, at)) continue;
      const slot = this.#slotOf(words, at);
      for (let n = 0; n < ID_WORDS; n++) {
        this.#words[slot * ID_WORDS + n] = words[at + n] as number;
      }
      this.#flags[slot] = flags[from] as number;
      this.#count++;
    }
  }

  #isMine(words: Uint32Array, at: number): boolean {
    const { bits, value } = this.#part;
    return bits === 0 || hashOf(words, at, PART_SEED) % 2 ** bits === value;
  }

  /** Where the id is, or the free slot where it would be. */
  #slotOf(words: Uint32Array, at: number): number {
    let slot = hashOf(words, at, SLOT_SEED) & this.#mask;
    while (this.#flags[slot] !== 0 && !this.#holds(slot, words, at)) slot = (slot + 1) & this.#mask;
    return slot;
  }

  #holds(slot: number, words: Uint32Array, at: number): boolean {
    const held = slot * ID_WORDS;
    return (
      this.#words[held + 3] === words[at + 3] &&
      this.#words[held + 2] === words[at + 2] &&
      this.#words[held + 1] === words[at + 1] &&
      this.#words[held] === words[at]
    );
  }
}

/** Two that have nothing to do with each other, lest one part's ids crowd in a few slots. */
const SLOT_SEED = 0x9e3779b9;
const PART_SEED = 0x51ab3f07;

/** MurmurHash3's 32-bit rounds over the four words (public domain, Austin Appleby). */
function hashOf(words: Uint32Array, at: number, seed: number): number {
  let hash = seed;
  for (let n = 0; n < ID_WORDS; n++) {
    let mixed = Math.imul(words[at + n] as number, 0xcc9e2d51);
    mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
    hash ^= mixed;
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
