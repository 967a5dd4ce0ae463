/** What the ingester is told of the settings, in this process or in its worker. Pure. */
import type { DataPaths } from "../config/data-paths.ts";
import type { Config } from "../config/settings.ts";
import type { IngestWorkerData } from "../ingest/ingest-messages.ts";
import type { RetentionSettings } from "../ingest/retention.ts";

export function ingestWorkerData(
  config: Config,
  paths: Pick<DataPaths, "queueDir" | "storeFile">,
): IngestWorkerData & { readonly retention: RetentionSettings } {
  return {
    queueDir: paths.queueDir,
    storeFile: paths.storeFile,
    attemptsMax: config["queue.maxAttempts"],
    batchRecordsMax: config["ingest.batchRecords"],
    pollMs: config["ingest.pollMs"],
    trim: {
      quotaBytes: config["spool.quotaMb"] * 1_048_576,
      softPct: config["spool.softPct"],
      freeBytesMin: config["spool.freeMbMin"] * 1_048_576,
    },
    retention: { days: config["retention.days"], projects: config["retention.projects"] },
  };
}
