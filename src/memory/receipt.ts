/**
 * Where an acknowledged record is now.
 *
 * Guarantees: what is being forgotten says so from the moment its order is durable, in every process.
 * Looks in the direction in which records move (pending, spill, store; quarantine),
 * twice because a retry leads from quarantine back to pending. What is nowhere was dropped if the
 * audit log says so: its line is durable before the record goes, so the log is read last. A line
 * that says "spilled" of an id that is nowhere proves nothing about where it is and is no state.
 * Only then it says `unknown`, with `store_error` when the store could not be asked.
 */
import type { MemspoolError } from "../errors.ts";
import { findDropped } from "../queue/audit-read.ts";
import { quarantineEntry } from "../queue/quarantine-list.ts";
import { quarantinedFiles, readPending } from "../queue/read-pending.ts";
import { checkedUlid } from "./get.ts";
import type { ReceiptResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { askStore, type StoreErrorView } from "./store-access.ts";

export type ReceiptParts = Pick<MemoryParts, "fs" | "queue" | "spill" | "store" | "forgets">;

const LOOKS = 2;

/**
 * @throws MemspoolError INVALID_ARGUMENT; ENVELOPE_UNREADABLE if it is nowhere else than maybe in a
 *   segment that can not be read
 */
export async function receiptOf(parts: ReceiptParts, id: string): Promise<ReceiptResult> {
  const ulid = checkedUlid(id);
  if ((await parts.forgets.hidden()).has(ulid)) return { ulid, state: "purging" };
  let storeError: StoreErrorView | undefined;
  let obstacle: MemspoolError | undefined;
  for (let look = 0; look < LOOKS; look++) {
    const pending = await readPending(parts.fs, parts.queue.layout, ulid);
    if (pending?.envelope) {
      const { sha256, appendedAt } = pending.envelope;
      return { ulid, state: "pending", sha256, appended_at: appendedAt };
    }
    const spilled = await parts.spill.find(ulid);
    if (spilled?.envelope) {
      const { sha256, appendedAt } = spilled.envelope;
      return { ulid, state: "spilled", sha256, appended_at: appendedAt };
    }
    const answer = await askStore(() => parts.store.lookup([ulid]));
    storeError = answer.error;
    const known = answer.value?.get(ulid);
    if (known?.state === "forgotten") {
      const { state, forgottenAt, reason } = known;
      return { ulid, state, forgotten_at: forgottenAt, forget_reason: reason };
    }
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
    if (spilled?.named) return { ulid, state: "spilled" };
    obstacle = spilled?.fault;
  }
  const line = await findDropped(parts.fs, parts.queue.layout, ulid);
  const dropped = line?.disposition === "dropped" ? line : undefined;
  if (!dropped && storeError === undefined && obstacle) throw obstacle;
  return {
    ulid,
    ...(dropped
      ? { state: "dropped", sha256: dropped.sha256, appended_at: dropped.appended_at }
      : { state: "unknown" }),
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
