/** What the operations of this folder are built from; app.ts puts it together. */
import type { Events } from "../events/catalogue.ts";
import type { FlightReport } from "../events/flight-recorder.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import type { Gate } from "../pressure/gate.ts";
import type { CaptureQueue } from "../queue/capture-queue.ts";
import type { ForgetView } from "../queue/forget-view.ts";
import type { OverflowView } from "../queue/overflow-view.ts";
import type { PendingView } from "../queue/pending-view.ts";
import type { StoreReader } from "../store/memory-store.ts";
import type { HealthReport, StatusReport } from "./memory.ts";
import type { PressureSources } from "./pressure-report.ts";
import type { Privacy } from "./privacy/privacy.ts";

/** What the ingester of this data directory says, whichever process runs it. */
export interface IngesterView {
  readonly leader: { readonly pid: number; readonly host: string; readonly sinceMs: number } | null;
  readonly thisProcessLeads: boolean;
  readonly lastBatch: { readonly atMs: number; readonly count: number; readonly ms: number } | null;
  readonly delayed: {
    readonly code: string;
    readonly reason: string;
    readonly sinceMs: number;
    readonly untilMs: number;
    readonly failures: number;
  } | null;
  /** Records a second over the last minute. */
  readonly ratePerS: number;
  /** Of this process's own ingester. */
  readonly totals: {
    readonly ingested: number;
    readonly duplicates: number;
    readonly quarantined: number;
    /** Ordered to be forgotten because of their age. */
    readonly expired: number;
  };
}

export interface MemoryParts {
  readonly queue: CaptureQueue;
  readonly view: PendingView;
  readonly spill: OverflowView;
  /** Ids that are being forgotten: `view` and `spill` hide them, too. */
  readonly forgets: ForgetView;
  /** Limit on pending records, and what happens beyond it. */
  readonly maxRecords: number;
  readonly overflow: StatusReport["queue"]["overflow"];
  readonly store: StoreReader;
  /** Whether there is a store yet; asking it would make one. */
  readonly storeExists: () => Promise<boolean>;
  readonly fs: DurableFs;
  readonly fsSync: DurableFsSync;
  readonly clock: Clock;
  readonly events: Events;
  readonly dataDir: string;
  readonly storeFile: string;
  /** The current project; "" is none. */
  readonly project: string;
  readonly version: string;
  readonly startedAtMs: number;
  readonly ingester: () => Promise<IngesterView>;
  /** Quota, memory, pace: of this process, or of those that serve this data directory. */
  readonly pressure: PressureSources;
  /** Asks whichever process leads to drain now. */
  readonly askToDrain: () => void;
  readonly health: () => Promise<HealthReport>;
  /** Holds captures up under pressure; without it none is. */
  readonly gate?: Gate | undefined;
  /** What must not be stored; nothing is taken out without it. */
  readonly privacy?: Privacy;
  /** In days, 0 for ever; by project instead. */
  readonly retention?:
    | { readonly days: number; readonly projects: Readonly<Record<string, number>> }
    | undefined;
  /** What hooks of assistants did here; nothing without it. */
  readonly hooks?: () => StatusReport["hooks"];
  /** What the flight recorder of this process holds; nothing without it. */
  readonly flight?: () => FlightReport;
  /** Tells that a capture was acknowledged here. */
  readonly onCaptured: () => void;
}
