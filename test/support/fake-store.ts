/** A store that keeps ids in a map, notes every transaction, and fails where a test says so. */
import { MemspoolError } from "../../src/errors.ts";
import type { CommitItem, CommitResult, MemoryStore } from "../../src/store/memory-store.ts";

export class FakeStore {
  readonly rows = new Map<string, CommitItem>();
  /** Ids of each transaction that was tried, in order. */
  readonly tried: string[][] = [];
  closed = 0;
  /** Throws what the transaction shall fail with. */
  before: (items: readonly CommitItem[]) => void | Promise<void> = () => {};
  conflicts = new Map<string, CommitResult["conflicts"][number]>();

  async commitBatch(items: readonly CommitItem[]): Promise<CommitResult> {
    this.tried.push(items.map(({ ulid }) => ulid));
    await this.before(items);
    const conflicts = items.flatMap(({ ulid }) => this.conflicts.get(ulid) ?? []);
    const others = items.filter(({ ulid }) => !this.conflicts.has(ulid));
    const duplicates = others.filter(({ ulid }) => this.rows.has(ulid));
    const inserted = others.filter(({ ulid }) => !this.rows.has(ulid));
    for (const item of inserted) this.rows.set(item.ulid, item);
    return {
      inserted: inserted.map(({ ulid }) => ulid),
      duplicates: duplicates.map(({ ulid }) => ({ ulid, of: ulid })),
      conflicts,
      forgotten: [],
    };
  }

  /** The ingester uses these two and nothing else of a store. */
  asStore(): MemoryStore {
    return {
      commitBatch: (items: readonly CommitItem[]) => this.commitBatch(items),
      close: async () => {
        this.closed++;
      },
    } as MemoryStore;
  }
}

export function storeAway(reason = "full"): MemspoolError {
  return new MemspoolError("STORE_UNAVAILABLE", "The store is away.", { details: { reason } });
}

export function storeRefuses(): MemspoolError {
  return new MemspoolError("STORE_REFUSED", "The store can not keep it.");
}

/** Fails every transaction that holds one of the ids. */
export function failingFor(ulids: readonly string[], error: () => unknown) {
  return (items: readonly CommitItem[]): void => {
    if (items.some(({ ulid }) => ulids.includes(ulid))) throw error();
  };
}
