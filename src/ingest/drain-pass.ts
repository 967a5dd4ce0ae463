/** What the passes of a drain, over segments and over pending records, have in common. */
import type { MemoryStore } from "../store/memory-store.ts";
import type { SettledBatch } from "./commit-and-settle.ts";

/** In records; a damaged segment counts as one more that was quarantined. */
export interface PassOutcome {
  /** In the store now, or before. */
  ingested: number;
  /** Left the queue without being kept anywhere, because they were forgotten. */
  forgotten: number;
  quarantined: number;
  /** Left: held, waiting for their next attempt, or not readable now. */
  skipped: number;
  /** Spent an attempt, with further ones to come. */
  spent: number;
}

export type RunBatch = (
  openStore: () => Promise<Pick<MemoryStore, "commitBatch">>,
) => Promise<SettledBatch>;

/** The ingester's side of a pass. */
export interface PassDrive {
  readonly isStopping: () => boolean;
  /** Runs one batch with the store, counts and reports it. */
  readonly commit: (run: RunBatch) => Promise<SettledBatch>;
  readonly onQuarantined: (count: number) => void;
  /** Records that this ingester has committed so far. */
  readonly committedCount: () => number;
}

export function emptyOutcome(): PassOutcome {
  return { ingested: 0, forgotten: 0, quarantined: 0, skipped: 0, spent: 0 };
}

export function addSettled(outcome: PassOutcome, settled: SettledBatch): void {
  outcome.ingested += settled.inserted + settled.duplicates;
  outcome.forgotten += settled.forgotten;
  outcome.quarantined += settled.quarantined;
  outcome.skipped += settled.skipped;
  outcome.spent += settled.spent;
}
