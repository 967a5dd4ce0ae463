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

/** Insert if absent, as the store's contract says; what it holds is durable. */
export class DurableRows {
  readonly rows = new Map<string, CommitItem>();
  readonly aliases = new Map<string, string>();
  /** What was kept, in order: committed again elsewhere it makes an equal store. */
  readonly kept: CommitItem[] = [];

  constructor(items: Iterable<CommitItem> = []) {
    this.commit([...items]);
  }

  commit(items: readonly CommitItem[]): CommitResult {
    const inserted: string[] = [];
    const duplicates: { ulid: string; of: string }[] = [];
    const conflicts: CommitResult["conflicts"][number][] = [];
    for (const item of items) {
      const { ulid } = item;
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
    return { inserted, duplicates, conflicts, forgotten: [] };
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

/** Everything that a rig replaces. */
export interface Seams {
  readonly fs: DurableFs;
  readonly fsSync: DurableFsSync;
  readonly commitBatch: CommitBatch;
  readonly clock: Clock;
  readonly events: Events;
}

/** The store as the ingester sees it: it uses these two and nothing else. */
export function storeOf(commitBatch: CommitBatch): MemoryStore {
  return { commitBatch, close: async () => {} } as Partial<MemoryStore> as MemoryStore;
}

export function plainSeams(world: CrashWorld, clock: Clock = new ShiftedClock()): Seams {
  return {
    fs: memoryFs,
    fsSync: memoryFsSync,
    commitBatch: async (items) => world.store.commit(items),
    clock,
    events: silentEvents,
  };
}

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
  onAcknowledged: (ulid: string, text: string) => void = () => {};

  acknowledge(ulid: string, text: string): void {
    this.acknowledged.set(ulid, text);
    this.onAcknowledged(ulid, text);
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
