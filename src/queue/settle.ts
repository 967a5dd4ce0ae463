/**
 * Lets go of records that are in the store: archive, high-water id, unlink. Only after commit.
 *
 * Guarantees: an envelope is unlinked only after it is durably archived and its id durably
 * recorded. The unlinks themselves are not synced: a name that comes back after a power cut is
 * ingested again, and the store knows it by its id.
 */
import { type DurableFsSync, unlinkIfThere } from "../platform/durable-fs-sync.ts";
import type { DoneArchive } from "./done-archive.ts";
import type { HighWater } from "./high-water.ts";
import { pendingPath, type QueueLayout } from "./layout.ts";

export interface SettleParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly archive: DoneArchive;
  readonly highWater: HighWater;
}

/**
 * @param envelopes committed ones, oldest first
 * @throws the system error of archive or high-water; nothing is unlinked then
 */
export function settleBatch(
  parts: SettleParts,
  envelopes: readonly { readonly ulid: string; readonly bytes: Uint8Array }[],
): void {
  if (envelopes.length === 0) return;
  parts.archive.append(envelopes.map(({ bytes }) => bytes));
  // Crash here: archived twice next time; readers take the first of an id.
  parts.highWater.record(envelopes.map(({ ulid }) => ulid));
  for (const { ulid } of envelopes) unlinkEnvelope(parts.fs, parts.layout, ulid);
}

/** Removes a pending name; gone already is as good. */
export function unlinkEnvelope(fs: DurableFsSync, layout: QueueLayout, ulid: string): void {
  unlinkIfThere(fs, pendingPath(layout, ulid));
}
