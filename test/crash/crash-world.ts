/**
 * What the rigs that run in one process work on: a data directory in memory, a store whose commits
 * are what it says they are, the seams, and the truth about what was acknowledged.
 *
 * Guarantees: nothing of the truth is read back from the code under test.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { type Events, silentEvents } from "../../src/events/catalogue.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { DurableFs } from "../../src/platform/durable-fs.ts";
import type { DurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { errnoOf } from "../../src/platform/errno.ts";
import { type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import type { ForgetOrder, ForgetOutcome, OrderTraces } from "../../src/store/forgetting.ts";
import type { CommitItem, CommitResult, MemoryStore } from "../../src/store/memory-store.ts";
import { memoryFs, memoryFsSync } from "./unsynced-fs.ts";

/** Real time, a fixed stretch ahead: files keep real times, and marks and leftovers grow old. */
export class ShiftedClock implements Clock {
  aheadMs: number;

  constructor(aheadMs = 0) {
    this.aheadMs = aheadMs;
  }

  nowMs(): number {
    return Date.now() + this.aheadMs;
  }

  monotonicMs(): number {
    return performance.now();
  }
}

/** Longer than any mark, leftover or wait of the queue stays young. */
export const EVERYTHING_IS_OLD_MS = 2 * 3_600_000;

/** What one transaction of a rig's store holds, a piece each. */
export type StoreChange = CommitItem | ForgetOrder;

/** Insert if absent, as the store's contract says; what it holds is durable. */
export class DurableRows {
  readonly rows = new Map<string, CommitItem>();
  readonly aliases = new Map<string, string>();
  /** Ids that were forgotten → the order. */
  readonly tombstones = new Map<string, string>();
  /** What was kept, in order: done again elsewhere it makes an equal store. */
  readonly kept: StoreChange[] = [];

  constructor(changes: Iterable<StoreChange> = []) {
    this.repeat(changes);
  }

  repeat(changes: Iterable<StoreChange>): void {
    for (const change of changes) {
      if ("ulids" in change) this.forget(change);
      else this.commit([change]);
    }
  }

  commit(items: readonly CommitItem[]): CommitResult {
    const inserted: string[] = [];
    const duplicates: { ulid: string; of: string }[] = [];
    const conflicts: CommitResult["conflicts"][number][] = [];
    const forgotten: string[] = [];
    for (const item of items) {
      const { ulid } = item;
      if (this.tombstones.has(ulid)) {
        forgotten.push(ulid);
        continue;
      }
      const same = this.rows.get(this.aliases.get(ulid) ?? ulid);
      const keyed = same ? undefined : this.#ofKey(item);
      const there = same ?? keyed;
      if (!there) {
        this.rows.set(ulid, item);
        this.kept.push(item);
        inserted.push(ulid);
      } else if (there.sha256 === item.sha256) {
        if (there.ulid !== ulid) {
          this.aliases.set(ulid, there.ulid);
          this.kept.push(item);
        }
        duplicates.push({ ulid, of: there.ulid });
      } else {
        const code = same ? "ULID_CONFLICT" : "IDEMPOTENCY_CONFLICT";
        conflicts.push({ ulid, code, existing: there.ulid });
      }
    }
    return { inserted, duplicates, conflicts, forgotten };
  }

  /** Records without aliases and keys only. */
  forget(order: ForgetOrder): ForgetOutcome {
    const removed = order.ulids.filter((ulid) => this.rows.delete(ulid)).length;
    for (const ulid of order.ulids) {
      if (!this.tombstones.has(ulid)) this.tombstones.set(ulid, order.request);
    }
    this.kept.push(order);
    return { removed };
  }

  tracesOf(request: string): OrderTraces {
    const ulids = [...this.tombstones.keys()].filter(
      (ulid) => this.tombstones.get(ulid) === request,
    );
    return { ulids, replayHashes: [] };
  }

  #ofKey(item: CommitItem): CommitItem | undefined {
    const { idempotency_key: key, project = "" } = item.record;
    if (key === undefined) return undefined;
    for (const row of this.rows.values()) {
      const { record } = row;
      if (record.idempotency_key === key && (record.project ?? "") === project) return row;
    }
    return undefined;
  }

  textOf(ulid: string): string | undefined {
    return this.rows.get(this.aliases.get(ulid) ?? ulid)?.record.surface;
  }
}

export type CommitBatch = MemoryStore["commitBatch"];
export type Forget = MemoryStore["forget"];

/** Everything that a rig replaces. */
export interface Seams {
  readonly fs: DurableFs;
  readonly fsSync: DurableFsSync;
  readonly commitBatch: CommitBatch;
  readonly forget: Forget;
  readonly clock: Clock;
  readonly events: Events;
}

/** The store as ingester and purger see it: they use these and nothing else. */
export function storeOf({ store }: CrashWorld, { commitBatch, forget }: Seams): MemoryStore {
  const used: Partial<MemoryStore> = {
    commitBatch,
    forget,
    tracesOf: async (request) => store.tracesOf(request),
    scrub: async () => "clean",
    close: async () => {},
  };
  return used as MemoryStore;
}

export function plainSeams(world: CrashWorld, clock: Clock = new ShiftedClock()): Seams {
  return {
    fs: memoryFs,
    fsSync: memoryFsSync,
    commitBatch: async (items) => world.store.commit(items),
    forget: async (order) => world.store.forget(order),
    clock,
    events: silentEvents,
  };
}

export type ForgetStage = "asked" | "ordered" | "forgotten";

/** What was said to the callers, and what therefore must be true. */
export class Truth {
  /** Receipts: id → text. */
  readonly acknowledged = new Map<string, string>();
  /** Every text that was ever given in, whatever became of it: id → text where the id is known. */
  readonly submitted = new Set<string>();
  /** Refused with `stored: "no"`. */
  readonly refused: { readonly ulid: string | undefined; readonly text: string }[] = [];
  /** Refused with `stored: "unknown"`. */
  readonly unknown: { readonly ulid: string; readonly text: string }[] = [];
  /** Files that were damaged on purpose: id → bytes, which nobody may lose either. */
  readonly damaged = new Map<string, Buffer>();
  /** Outcomes that nobody promised. */
  readonly broken: string[] = [];
  /** Ids of an order to forget that was asked for: they may be there or not, whatever comes of it. */
  readonly asked = new Set<string>();
  /** Of an order that was acknowledged: nobody may be shown them. */
  readonly ordered = new Set<string>();
  /** Of an order that was said to be carried out: they may be nowhere. */
  readonly forgotten = new Set<string>();
  onAcknowledged: (ulid: string, text: string) => void = () => {};
  onForgetting: (stage: ForgetStage, ulids: readonly string[]) => void = () => {};

  acknowledge(ulid: string, text: string): void {
    this.acknowledged.set(ulid, text);
    this.onAcknowledged(ulid, text);
  }

  forgetting(stage: ForgetStage, ulids: readonly string[]): void {
    for (const ulid of ulids) {
      this[stage].add(ulid);
      this.acknowledged.delete(ulid);
    }
    this.onForgetting(stage, ulids);
  }

  /** Notes a failed capture, and whether it failed as promised. */
  captureFailed(text: string, error: unknown): void {
    if (!(error instanceof MemspoolError)) {
      this.broken.push(`a capture failed with ${nameOf(error)}`);
      return;
    }
    const { stored, ulid } = error.details;
    if (stored === "no") {
      this.refused.push({ text, ulid: typeof ulid === "string" ? ulid : undefined });
    } else if (stored === "unknown" && typeof ulid === "string") {
      this.unknown.push({ text, ulid });
    } else {
      this.broken.push(`a capture failed with ${error.code}, stored ${stored}, ulid ${ulid}`);
    }
  }

  /** Notes a failure of anything but a capture: system errors and our own codes are promised. */
  workFailed(error: unknown): void {
    const failures = error instanceof AggregateError ? error.errors : [error];
    for (const failure of failures) {
      if (errnoOf(failure) === undefined && !(failure instanceof MemspoolError)) {
        this.broken.push(`failed with ${nameOf(failure)}`);
      } else if (failure instanceof MemspoolError && failure.code === "INTERNAL") {
        this.broken.push("failed with INTERNAL");
      }
    }
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
}

export interface CrashWorld {
  /** Everything lies below it. */
  readonly home: string;
  readonly layout: QueueLayout;
  readonly store: DurableRows;
  readonly truth: Truth;
}

export function worldAt(home: string, store = new DurableRows(), truth = new Truth()): CrashWorld {
  return { home, layout: queueLayout(join(home, "queue")), store, truth };
}

/** A directory for many data directories, in memory where the machine has that. */
export function scratchDirectory(root: string): string {
  const dir = mkdtempSync(join(root, "memspool-crash-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  return dir;
}
