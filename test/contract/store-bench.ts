/** What the parts of the store contract share: a fresh store each test, and items to put into it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { textSha256 } from "../../src/record/content-hash.ts";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import type { CommitItem, MemoryStore } from "../../src/store/memory-store.ts";

/** Opens a store in a directory; the same directory is the same store. */
export type OpenContractStore = (dir: string) => Promise<MemoryStore>;

export interface StoreBench {
  readonly store: MemoryStore;
  readonly dir: string;
  /** A second connection to the same store, closed with the test. */
  openAnother(): Promise<MemoryStore>;
}

/** Call inside a describe; the bench is valid inside its tests. */
export function useStore(open: OpenContractStore): StoreBench {
  let dir = "";
  let stores: MemoryStore[] = [];
  const openOne = async (): Promise<MemoryStore> => {
    const store = await open(dir);
    stores.push(store);
    return store;
  };
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "memspool-contract-"));
    await openOne();
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    stores = [];
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    get store() {
      return stores[0] as MemoryStore;
    },
    get dir() {
      return dir;
    },
    openAnother: openOne,
  };
}

export const FIRST_AT_MS = Date.UTC(2026, 2, 1, 9, 30);

/** The nth id; greater n, greater id. Decimal digits are Crockford's too. */
export function idOf(n: number): string {
  return `01JNXE5M00${String(n).padStart(16, "0")}`;
}

/** An item whose id and time come from `n`. */
export function itemOf(n: number, fields: Partial<MemoryRecord> = {}): CommitItem {
  const record: MemoryRecord = { surface: `text ${n}`, ...fields };
  return {
    ulid: idOf(n),
    appendedAt: new Date(FIRST_AT_MS + n * 1_000).toISOString(),
    sha256: textSha256(record.surface),
    record,
    recordJson: JSON.stringify(record),
  };
}

/** Text that databases, bindings and normalisers like to change. */
export const HOSTILE_STRINGS: Readonly<Record<string, string>> = {
  empty: "",
  "white space": " \t \n ",
  "CR LF": "a\r\nb\rc\n",
  NFC: "\u00e9 \u1e9b\u0323",
  NFD: "e\u0301 \u017f\u0323\u0307",
  emoji: "👍🏽👨‍👩‍👧🇩🇪",
  "right to left": "\u202eשלום مرحبا\u202c",
  "U+0000 first": "\0after",
  "U+0000 inside": "before\0after",
  "U+0000 last": "before\0",
  "high surrogate": "a\ud800b",
  "low surrogate": "a\udc00b",
  "swapped surrogates": "\udc00\ud800",
  "replacement character": "a\ufffdb",
  noncharacter: "\ufffe\uffff\ufeff",
  "quotes and escapes": `'"\\u0000\\\\"; DROP TABLE records; -- %s $1 ?`,
  JSON: '{"surface":null}',
  "line separators": "a\u2028b\u2029c\u0085d",
};
