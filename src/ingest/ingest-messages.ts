/** What the main thread and the ingester's worker say to each other. */
import type { MemspoolEvent } from "../events/catalogue.ts";
import type { IngestReport } from "./ingest-report.ts";
import type { RetentionSettings } from "./retention.ts";

/** `workerData` of the ingester's worker. */
export interface IngestWorkerData {
  readonly queueDir: string;
  readonly storeFile: string;
  readonly attemptsMax: number;
  readonly batchRecordsMax: number;
  readonly pollMs: number;
  readonly retention?: RetentionSettings | undefined;
  readonly trim?: TrimSettings | undefined;
}

/** When the done archive is trimmed. */
export interface TrimSettings {
  readonly quotaBytes: number;
  /** Percent of the quota. */
  readonly softPct: number;
  /** Of the disk: below it the archive is trimmed, too. */
  readonly freeBytesMin: number;
}

export type ToIngestWorker =
  | { readonly type: "wake" | "flush" | "trim" | "stop" }
  /** Of the full pace, from 0 to 1. */
  | { readonly type: "pace"; readonly share: number };

export type FromIngestWorker =
  | { readonly type: "event"; readonly event: MemspoolEvent }
  | { readonly type: "report"; readonly report: IngestReport }
  | { readonly type: "stopped" };
