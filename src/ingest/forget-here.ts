/**
 * `memspool forget`: has an order carried out now, in this process if no other leads, else by the one
 * that does.
 *
 * Guarantees: as purger.ts; the order is durable already, so whatever ends this, the next server or
 * `memspool drain` goes on. Ingests nothing. A leader that died is not waited for: this process takes
 * over as soon as the lease is stale.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Claims, MARK_FRESH_MS } from "../queue/claim.ts";
import { ensureQueueDirectories } from "../queue/directories.ts";
import { listOrders } from "../queue/forget-order.ts";
import type { MemoryStore } from "../store/memory-store.ts";
import { Election } from "./election.ts";
import { openIngestStore } from "./open-ingest-store.ts";
import { Purger, type PurgerParts } from "./purger.ts";
import { requestFlush } from "./queue-watch.ts";
import { LEASE_WAIT_MS } from "./with-lease.ts";

export interface ForgetHereOptions {
  /** In ids. */
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type ForgetHereParts = Omit<PurgerParts, "claims"> & { readonly storeFile: string };

/** A dead process's lease and marks are stale by then, and a short reader has ended. */
const WAIT_MS = Math.max(LEASE_WAIT_MS, MARK_FRESH_MS) + 5_000;
const LOOK_MS = 200;

/**
 * @returns whether it is carried out
 * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW, UNSAFE_PATH, DATA_DIR_UNUSABLE
 */
export async function carryOutHere(
  parts: ForgetHereParts,
  request: string,
  options: ForgetHereOptions,
): Promise<boolean> {
  const { fs, layout, clock } = parts;
  ensureQueueDirectories(fs, layout);
  const election = new Election({ ...parts, onElected: () => {}, onLost: () => {} });
  const purger = new Purger({ ...parts, claims: new Claims(fs, layout, clock) });
  let store: Promise<MemoryStore> | undefined;
  const isStopping = () => options.signal?.aborted === true;
  const startedMs = clock.monotonicMs();
  const isOpen = () => listOrders(fs, layout.forgetDir).includes(request);
  try {
    while (isOpen() && !isStopping() && clock.monotonicMs() - startedMs < WAIT_MS) {
      if (await election.try()) {
        await purger.run({
          openStore: () => (store ??= openIngestStore(parts.storeFile, layout, parts.events)),
          isStopping,
          onProgress: (done, total) => options.onProgress?.({ done, total }),
        });
      } else requestFlush(fs, layout, clock);
      if (isOpen()) await delay(LOOK_MS);
    }
    return !isOpen();
  } finally {
    await (await store?.catch(() => undefined))?.close();
    await election.stop();
  }
}
