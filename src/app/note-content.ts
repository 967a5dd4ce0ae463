/** What goes into a server's note, from what pressure control and the flight recorder know. Pure. */
import type { Snapshot } from "../events/flight-recorder.ts";
import { Ring } from "../events/ring.ts";
import { NOTE_HISTORY_MAX, NOTE_SIGNALS_MAX } from "../events/server-note.ts";
import type { ServerNoteContent } from "../events/server-notes.ts";
import type { Signal } from "../events/signal.ts";
import type { PressureFacts } from "../pressure/pressure-facts.ts";
import { usedBytes } from "../queue/spool-usage.ts";

const RATE_LOOKS_MAX = 61;

/** Records a second over the last minute of looks. */
export class IngestRate {
  #looks = new Ring<{ atMs: number; total: number }>(RATE_LOOKS_MAX);
  #lastTotal = 0;

  /** @param total since the ingester started; undefined while this process has none */
  note(atMs: number, total: number | undefined): void {
    // A new ingester counts from zero again.
    if (total === undefined || total < this.#lastTotal) this.#looks.take();
    this.#lastTotal = total ?? 0;
    if (total !== undefined) this.#looks.push({ atMs, total });
  }

  /** Null before two looks at one ingester. */
  get perSecond(): number | null {
    const looks = this.#looks.all();
    const [first, last] = [looks[0], looks.at(-1)];
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return null;
    const rate = (last.total - first.total) / ((last.atMs - first.atMs) / 1000);
    return Math.round(rate * 10) / 10;
  }
}

export function noteContent(
  facts: PressureFacts | undefined,
  recorded: { snapshots(): readonly Snapshot[]; signals(): readonly Signal[] },
  ingestRate: number | null,
): ServerNoteContent {
  const snapshots = recorded.snapshots();
  return {
    ...(facts === undefined ? NOT_KNOWN : pressureContent(facts)),
    ingest_rate: ingestRate,
    signals: recorded.signals().slice(-NOTE_SIGNALS_MAX).reverse(),
    history: {
      depth: seriesOf(snapshots, ({ depth }) => depth),
      ack_p99_ms: seriesOf(snapshots, ({ ack_p99_ms }) => ack_p99_ms),
    },
  };
}

const NOT_KNOWN = { spool: null, gate: null, memory: null, governor: null, ack: null };

function pressureContent({ spool, gate, memory, governor, ackP50Ms, ackP99Ms }: PressureFacts) {
  return {
    spool: {
      state: spool.state,
      since_ms: spool.sinceMs,
      used_bytes: spool.usage === undefined ? null : usedBytes(spool.usage),
      dropped: gate.refusedByQuota,
    },
    gate: {
      waiting: gate.waiting,
      delayed: gate.delayed,
      refused_by_quota: gate.refusedByQuota,
      refused_early: gate.refusedEarly,
      refused_by_memory: gate.refusedByMemory,
    },
    memory: {
      level: memory.level,
      rss_bytes: memory.rssBytes,
      limit_bytes: memory.limitBytes ?? null,
      source: memory.source ?? null,
    },
    governor: {
      state: governor.state,
      share: governor.share,
      since_ms: governor.sinceMs,
      cause: governor.cause ?? null,
    },
    ack: { p50_ms: ackP50Ms, p99_ms: ackP99Ms },
  };
}

/** One entry a second; null for those in which nobody looked. */
function seriesOf(
  snapshots: readonly Snapshot[],
  pick: (snapshot: Snapshot) => number | null,
): (number | null)[] {
  const series = snapshots.slice(-NOTE_HISTORY_MAX).flatMap((snapshot) => {
    const missed = Math.min(snapshot.missed, NOTE_HISTORY_MAX);
    return [...new Array<null>(missed).fill(null), pick(snapshot)];
  });
  return series.slice(-NOTE_HISTORY_MAX);
}
