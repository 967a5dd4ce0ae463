/**
 * Where an acknowledged record is now.
 *
 * Guarantees: looks in the direction in which records move (pending, store, quarantine), twice
 * before it says `unknown`, and says so when the store could not be asked.
 */
import { quarantineEntry } from "../queue/quarantine-list.ts";
import { quarantinedFiles, readPending } from "../queue/read-pending.ts";
import { checkedUlid } from "./get.ts";
import type { ReceiptResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { askStore, type StoreErrorView } from "./store-access.ts";

export type ReceiptParts = Pick<MemoryParts, "fs" | "queue" | "store">;

const LOOKS = 2;

/** @throws MemspoolError INVALID_ARGUMENT */
export async function receiptOf(parts: ReceiptParts, id: string): Promise<ReceiptResult> {
  const ulid = checkedUlid(id);
  let storeError: StoreErrorView | undefined;
  for (let look = 0; look < LOOKS; look++) {
    const pending = await readPending(parts.fs, parts.queue.layout, ulid);
    if (pending?.envelope) {
      const { sha256, appendedAt } = pending.envelope;
      return { ulid, state: "pending", sha256, appended_at: appendedAt };
    }
    const answer = await askStore(() => parts.store.lookup([ulid]));
    storeError = answer.error;
    const known = answer.value?.get(ulid);
    if (known) {
      return {
        ulid,
        state: known.state,
        sha256: known.sha256,
        appended_at: known.appendedAt,
        ...(known.state === "duplicate" ? { duplicate_of: known.of } : {}),
      };
    }
    const quarantined = await quarantineReceipt(parts, ulid);
    if (quarantined) return quarantined;
    // Damaged, but there: it is pending until the ingester has judged it.
    if (pending) return { ulid, state: "pending" };
  }
  return {
    ulid,
    state: "unknown",
    ...(storeError === undefined ? {} : { store_error: storeError }),
  };
}

async function quarantineReceipt(
  parts: ReceiptParts,
  ulid: string,
): Promise<ReceiptResult | undefined> {
  const { fs, queue } = parts;
  const [file] = await quarantinedFiles(fs, queue.layout, ulid);
  const entry = file && (await quarantineEntry(fs, queue.layout, file));
  if (!entry) return undefined;
  return { ulid, state: "quarantined", reason: { code: entry.code, message: entry.message } };
}
