/**
 * Opens the store for writing, and notices when one that was there is gone.
 *
 * Guarantees: a missing store is made anew and never stops captures; if records were ingested
 * before, `store_missing` says so, because the new store does not hold them.
 */
import { existsSync } from "node:fs";
import type { Events } from "../events/catalogue.ts";
import type { QueueLayout } from "../queue/layout.ts";
import type { MemoryStore } from "../store/memory-store.ts";
import { openStore } from "../store/open-store.ts";

/** @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW, UNSAFE_PATH */
export async function openIngestStore(
  file: string,
  layout: QueueLayout,
  events: Events,
): Promise<MemoryStore> {
  const missing = existsSync(layout.highWaterFile) && !existsSync(file);
  const store = await openStore({ file, events });
  if (missing) {
    events.emit("store_missing", {
      advice:
        "A new, empty one was made in its place. Stop the servers and run `memspool rebuild`, which " +
        "brings back what the done archive has; the rest may be in a backup.",
    });
  }
  return store;
}
