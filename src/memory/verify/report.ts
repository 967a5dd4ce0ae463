/** What verify takes and answers. The answer's shape is that of `memspool verify --json`. */
import type { Clock } from "../../platform/clock.ts";
import type { DurableFs } from "../../platform/durable-fs.ts";
import type { DurableFsSync } from "../../platform/durable-fs-sync.ts";
import type { QueueLayout } from "../../queue/layout.ts";
import type { StoreReader } from "../../store/memory-store.ts";
import type { FindingView } from "./findings.ts";
import type { TableLimits } from "./id-table.ts";

/** What is being worked through, in this order. */
export const VERIFY_STEPS = [
  "ledger",
  "pending",
  "spilled",
  "store",
  "archive",
  "quarantine",
  "audit log",
  "index",
  "second look",
] as const;

export type VerifyStep = (typeof VERIFY_STEPS)[number];

export interface VerifyProgress {
  readonly step: VerifyStep;
  /** In units of the step: files, rows, bytes. */
  readonly done: number;
  readonly total: number;
}

export interface VerifyOptions {
  /** Leave out every hash, and comparing rows with their columns: only where each record is. */
  readonly quick?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

export interface VerifyParts {
  readonly fs: DurableFsSync;
  readonly asyncFs: DurableFs;
  readonly layout: QueueLayout;
  readonly store: Pick<
    StoreReader,
    "stats" | "auditRows" | "auditCounts" | "auditIndex" | "lookup"
  >;
  readonly clock: Clock;
  /** A seam: tests shrink it. */
  readonly tableLimits?: TableLimits | undefined;
}

/** Distinct ids, each counted once: captured is the sum of the eight that follow it. */
export interface VerifyReport {
  /** Nothing is missing and nothing is damaged. */
  ok: boolean;
  captured: number;
  stored: number;
  duplicates: number;
  pending: number;
  spilled: number;
  quarantined: number;
  forgotten: number;
  /** Lost on purpose, by the policy drop-oldest. */
  dropped: number;
  missing: number;
  /** Found, but not in the ledger; counted above where it was found. */
  unledgered: number;
  problems: FindingView[];
  /** Worth knowing, and no fault. */
  notes: FindingView[];
  checked: {
    /** Pending, spilled and quarantined. */
    envelopes: number;
    rows: number;
    archive_records: number;
    /** Rows that were looked up in the index word by word. */
    index_rows: number;
    ledger_lines: number;
    audit_lines: number;
    torn_ledger_lines: number;
  };
  /** Whether hashes were looked at. */
  quick: boolean;
  ms: number;
}
