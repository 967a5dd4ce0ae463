/**
 * What the leading process tells the others of itself: a small snapshot for status.
 *
 * Does not guarantee to be true: it is a note, replaced about once a second while batches run, and
 * stays behind when its writer dies. Whether anybody leads is for the lease to say.
 */
import { hostname } from "node:os";
import { z } from "zod";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { IngestRate } from "./ingest-rate.ts";
import type { IngestReport } from "./ingest-report.ts";

/** More than a minute has. */
const RATE_STEPS_MAX = 20;

const leaderNoteSchema = z.object({
  pid: z.int(),
  host: z.string(),
  since_ms: z.number(),
  last_batch: z.object({ atMs: z.number(), count: z.number(), ms: z.number() }).nullable(),
  delayed: z
    .object({
      code: z.string(),
      reason: z.string(),
      sinceMs: z.number(),
      untilMs: z.number(),
      failures: z.number(),
    })
    .nullable(),
  /** Records of the last minute; a leader of an earlier version notes none. */
  minute: z
    .array(z.tuple([z.number(), z.number()]))
    .max(RATE_STEPS_MAX)
    .default([]),
});

export type LeaderNote = z.infer<typeof leaderNoteSchema>;

const NOTE_INTERVAL_MS = 1_000;

export class LeaderFile {
  readonly #fs: DurableFsSync;
  readonly #layout: QueueLayout;
  readonly #clock: Clock;
  readonly #sinceMs: number;
  readonly #rate = new IngestRate();
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #state = "";
  /** What came too soon after the last note. */
  #held: IngestReport | undefined;

  constructor(fs: DurableFsSync, layout: QueueLayout, clock: Clock) {
    this.#fs = fs;
    this.#layout = layout;
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
  }

  /** Writes the note when the state changed or the last one is a second old; else holds it. */
  note(report: IngestReport): void {
    const { ingested, duplicates } = report.totals;
    this.#rate.count(ingested + duplicates, this.#clock.nowMs());
    const state = `${report.delayed?.failures ?? 0}`;
    if (state === this.#state && this.#isSoon()) this.#held = report;
    else this.#write(report, state);
  }

  /** Writes what was held, once it is due: the last batch of a burst is told, too. */
  tick(): void {
    if (this.#held !== undefined && !this.#isSoon()) this.#write(this.#held, this.#state);
  }

  #isSoon(): boolean {
    return this.#clock.monotonicMs() - this.#writtenAtMs < NOTE_INTERVAL_MS;
  }

  #write(report: IngestReport, state: string): void {
    this.#held = undefined;
    const note: LeaderNote = {
      pid: process.pid,
      host: hostname(),
      since_ms: this.#sinceMs,
      last_batch: report.lastBatch,
      delayed: report.delayed,
      minute: [...this.#rate.steps],
    };
    try {
      this.#fs.replace(this.#layout.leaderFile, JSON.stringify(note), "none");
      this.#writtenAtMs = this.#clock.monotonicMs();
      this.#state = state;
    } catch (error) {
      // A full or read-only disk: others see an older note; draining itself says what is wrong.
      if (errnoOf(error) === undefined) throw error;
    }
  }
}

/** The last leader's note; undefined if there is none or it is damaged. */
export async function readLeaderNote(
  fs: DurableFs,
  layout: QueueLayout,
): Promise<LeaderNote | undefined> {
  try {
    const content: unknown = JSON.parse((await fs.read(layout.leaderFile)).toString("utf8"));
    return leaderNoteSchema.safeParse(content).data;
  } catch {
    return undefined; // no note, or one that a crash tore: status then names nobody
  }
}
