/**
 * What trimming needs of a process that ingests: a look at the spool, and a reader of the store.
 *
 * Guarantees: the reader never makes a store, and knows nothing while there is none.
 */
import { existsSync } from "node:fs";
import type { Clock } from "../platform/clock.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { SpoolMeter } from "../queue/spool-meter.ts";
import { openStore } from "../store/open-store.ts";
import { emptyUntilMade } from "../store/unmade-store.ts";
import type { IngestWorkerData } from "./ingest-messages.ts";
import type { TrimmingParts } from "./trimmer.ts";

/** undefined where the settings do not ask for trimming. */
export function trimmingHere(
  { trim, storeFile }: Pick<IngestWorkerData, "trim" | "storeFile">,
  layout: QueueLayout,
  clock: Clock,
): TrimmingParts | undefined {
  if (trim === undefined) return undefined;
  const meter = new SpoolMeter({ fs: nodeDurableFs, layout, clock });
  const storeIsThere = () => existsSync(storeFile);
  return {
    ...trim,
    measure: async () => (await meter.measure()).usage,
    openReader: async () => {
      const reader = await openStore({ file: storeFile, readOnly: true });
      return emptyUntilMade(storeIsThere, reader);
    },
    storeIsThere,
  };
}
