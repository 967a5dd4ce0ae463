/** What the ingester of a data directory is doing, seen from any of its processes. */
import type { DurableFs } from "../platform/durable-fs.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { leaseIsHeld } from "./election.ts";
import { ratePerS } from "./ingest-rate.ts";
import type { IngestReport } from "./ingest-report.ts";
import { type LeaderNote, readLeaderNote } from "./leader-file.ts";

export interface IngesterFacts {
  readonly leader: { readonly pid: number; readonly host: string; readonly sinceMs: number } | null;
  readonly thisProcessLeads: boolean;
  readonly lastBatch: LeaderNote["last_batch"];
  readonly delayed: LeaderNote["delayed"];
  /** Records a second over the last minute, of whichever process led. */
  readonly ratePerS: number;
  readonly totals: IngestReport["totals"];
}

const NOTHING = Object.freeze({ ingested: 0, duplicates: 0, quarantined: 0, expired: 0 });

/** @param host of this process, whether or not it leads */
export async function ingesterView(
  fs: DurableFs,
  layout: QueueLayout,
  host: { readonly leads: boolean; readonly report: IngestReport | undefined },
  nowMs: number,
): Promise<IngesterFacts> {
  const [held, note] = await Promise.all([leaseIsHeld(layout), readLeaderNote(fs, layout)]);
  const own = host.report;
  return {
    // A note without a lease is a dead leader's.
    leader: held && note ? { pid: note.pid, host: note.host, sinceMs: note.since_ms } : null,
    thisProcessLeads: host.leads,
    lastBatch: own?.lastBatch ?? note?.last_batch ?? null,
    delayed: own ? own.delayed : held ? (note?.delayed ?? null) : null,
    ratePerS: ratePerS(note?.minute ?? [], nowMs),
    totals: own?.totals ?? NOTHING,
  };
}
