/**
 * Verifies in this process, with a reader of the store of its own.
 *
 * Guarantees: a question to the store may take as long as a slow disk needs; an interruption ends it
 * all the same, and the reader's thread with it.
 */
import type { Events } from "../events/catalogue.ts";
import type { VerifyOptions, VerifyReport } from "../memory/verify/report.ts";
import { verify } from "../memory/verify/verify.ts";
import type { Clock } from "../platform/clock.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import { nodeDurableFsSync } from "../platform/durable-fs-sync.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { StoreClient } from "../store/store-client.ts";
import type { StartStoreWorker } from "../store/store-worker-handle.ts";
import { emptyUntilMade } from "../store/unmade-store.ts";

export interface VerifyHereParts {
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  readonly storeExists: () => boolean;
  readonly startStoreWorker: StartStoreWorker;
}

/** A client's question has ten seconds; a count over millions of rows on a cold disk takes more. */
const CALL_TIME_MS = 600_000;

/** @throws as verify, see memory/verify/verify.ts */
export async function verifyHere(
  parts: VerifyHereParts,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { layout, clock, events, storeExists, startStoreWorker } = parts;
  const limits = { callTimeMs: CALL_TIME_MS };
  const client = new StoreClient({ startWorker: startStoreWorker, events, limits });
  // Whoever waits for an answer that takes minutes is told at once.
  const close = (): void => void client.close();
  options.signal?.addEventListener("abort", close, { once: true });
  try {
    const store = emptyUntilMade(storeExists, client);
    const files = { fs: nodeDurableFsSync, asyncFs: nodeDurableFs };
    return await verify({ layout, clock, store, ...files }, options);
  } finally {
    options.signal?.removeEventListener("abort", close);
    await client.close();
  }
}
