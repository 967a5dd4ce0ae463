/**
 * Lets go of records that are in the store: archive, ledger, high-water id, unlink. Only after
 * commit.
 *
 * Guarantees: an envelope is unlinked only after it is durably archived, its line in the ledger is
 * durable, and its id is durably recorded. The unlinks themselves are not synced: a name that comes
 * back after a power cut is ingested again, and the store knows it by its id.
 */
import { type DurableFsSync, unlinkIfThere } from "../platform/durable-fs-sync.ts";
import type { DoneArchive } from "./done-archive.ts";
import type { HighWater } from "./high-water.ts";
import { pendingPath, type QueueLayout } from "./layout.ts";
import { type LedgerSync, oldestAppendMs } from "./ledger-sync.ts";

export interface SettleParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly archive: DoneArchive;
  readonly ledger: LedgerSync;
  readonly highWater: HighWater;
}

/** What settling needs to know of a record. */
export interface SettledEnvelope {
  readonly ulid: string;
  /** ISO 8601. */
  readonly appendedAt: string;
  readonly bytes: Uint8Array;
}

/**
 * @param envelopes committed ones, oldest first
 * @throws the system error of archive, ledger or high-water: nothing is unlinked then; or of the
 *   first name that can not be removed, when all others are gone: it must not keep them
 */
export function settleBatch(parts: SettleParts, envelopes: readonly SettledEnvelope[]): void {
  keepBatch(parts, envelopes);
  unlinkAll(parts, envelopes);
}

/**
 * Lets go of records that were forgotten: as {@link settleBatch}, but nothing of them is archived.
 * @throws as there
 */
export function settleForgotten(parts: SettleParts, envelopes: readonly SettledEnvelope[]): void {
  noteIds(parts, envelopes);
  unlinkAll(parts, envelopes);
}

function unlinkAll(parts: SettleParts, envelopes: readonly SettledEnvelope[]): void {
  const failures: unknown[] = [];
  for (const { ulid } of envelopes) {
    try {
      unlinkEnvelope(parts.fs, parts.layout, ulid);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/**
 * Everything that must be durable before the records' files may go, and no more: for records whose
 * file holds others, too.
 * @throws the system error of archive, ledger or high-water
 */
export function keepBatch(parts: SettleParts, envelopes: readonly SettledEnvelope[]): void {
  if (envelopes.length === 0) return;
  parts.archive.append(envelopes.map(({ bytes }) => bytes));
  // Crash here: archived twice next time; readers take the first of an id.
  noteIds(parts, envelopes);
}

/** Without this nobody could tell afterwards that the ids were there. */
export function noteIds(parts: SettleParts, envelopes: readonly SettledEnvelope[]): void {
  if (envelopes.length === 0) return;
  parts.ledger.sync(oldestAppendMs(envelopes));
  parts.highWater.record(envelopes.map(({ ulid }) => ulid));
}

/** Removes a pending name; gone already is as good. */
export function unlinkEnvelope(fs: DurableFsSync, layout: QueueLayout, ulid: string): void {
  unlinkIfThere(fs, pendingPath(layout, ulid));
}
