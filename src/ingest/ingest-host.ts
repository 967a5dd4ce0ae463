/**
 * The main thread's side of ingestion: stands for election, runs the ingester in a worker while
 * elected, passes hints on.
 *
 *   follower ──elected──▶ leading (worker runs) ──compromised, worker ended──▶ follower
 *                any ──stop──▶ stopped
 *
 * Guarantees: wake-up hints are joined, at most one a WAKE_INTERVAL_MS; `stop` asks the worker to
 * finish its batch, ends it after STOP_MS at the latest, and gives the lease back afterwards.
 * A worker that dies, or can not be started, takes nothing with it: everything it had in hand is
 * still on disk, captures go on, and the next election tries again.
 */
import { Worker } from "node:worker_threads";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { noteStuckThread, noteThread } from "../platform/stuck-threads.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { Election } from "./election.ts";
import type { FromIngestWorker, IngestWorkerData, ToIngestWorker } from "./ingest-messages.ts";
import type { IngestReport } from "./ingest-report.ts";
import { requestFlush } from "./queue-watch.ts";

export const STOP_MS = 2_500;
/** A thread inside a system call that does not return can not be ended; it is not waited for. */
const TERMINATE_MS = 250;
/** Lets a burst of captures become one batch instead of many. */
const WAKE_INTERVAL_MS = 50;

export interface IngestHostOptions {
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly fs: DurableFsSync;
  readonly events: Events;
  readonly workerUrl: URL;
  readonly workerData: IngestWorkerData;
  /** After each report of the worker. */
  readonly onReport: (report: IngestReport) => void;
  /** The worker ended by an error that nobody caught there. */
  readonly onWorkerError?: (error: unknown) => void;
}

export class IngestHost {
  readonly #options: IngestHostOptions;
  readonly #election: Election;
  #worker: Worker | undefined;
  /** Workers on their way out. */
  readonly #ending = new Set<Promise<void>>();
  #wake: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;
  #report: IngestReport | undefined;
  #share = 1;

  constructor(options: IngestHostOptions) {
    this.#options = options;
    this.#election = new Election({
      ...options,
      onElected: () => this.#startWorker(),
      onLost: (reason) => this.#lost(reason),
    });
  }

  get leads(): boolean {
    return this.#election.leads;
  }

  /** The worker's last report, while this process leads. */
  get report(): IngestReport | undefined {
    return this.leads ? this.#report : undefined;
  }

  start(): void {
    this.#election.start();
  }

  /** Something was appended here. */
  wake(): void {
    if (!this.#worker || this.#wake) return;
    this.#wake = setTimeout(() => {
      this.#wake = undefined;
      this.#tell({ type: "wake" });
    }, WAKE_INTERVAL_MS);
    this.#wake.unref();
  }

  /** Somebody wants the queue drained now: here, or by whichever process leads. */
  flush(): void {
    const { fs, layout, clock } = this.#options;
    if (this.#worker) this.#tell({ type: "flush" });
    else requestFlush(fs, layout, clock);
  }

  /** Use is over the soft limit. Who leads elsewhere sees it by itself. */
  trim(): void {
    this.#tell({ type: "trim" });
  }

  /** @param share of the ingester's full pace; a worker that starts later takes it over */
  pace(share: number): void {
    if (share === this.#share) return;
    this.#share = share;
    this.#tell({ type: "pace", share });
  }

  /** Idempotent; takes STOP_MS and a moment at most. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#wake);
    this.#endWorker();
    await Promise.all(this.#ending);
    if (this.leads) this.#options.events.emit("leader_lost", { reason: "released" });
    await this.#election.stop();
  }

  #startWorker(): void {
    if (this.#stopping) return;
    const { workerUrl, workerData, events } = this.#options;
    let worker: Worker;
    try {
      worker = new Worker(workerUrl, { workerData, stdout: true });
    } catch {
      // No thread to be had (EAGAIN under a limit of processes): the next poll tries again.
      this.#workerEnded();
      return;
    }
    noteThread(worker);
    worker.stdout.resume(); // stdout belongs to the protocol: nothing a worker prints gets there
    worker.unref();
    worker.on("message", (message: FromIngestWorker) => this.#hear(message));
    // An error ends the worker; "exit" follows and does what is to be done.
    worker.on("error", (error) => this.#options.onWorkerError?.(error));
    worker.on("exit", () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#workerEnded();
    });
    this.#worker = worker;
    if (this.#share !== 1) this.#tell({ type: "pace", share: this.#share });
    events.emit("leader_elected", { pid: process.pid });
  }

  #workerEnded(): void {
    this.#options.events.emit("leader_lost", { reason: "worker_ended" });
    void this.#election.resign();
  }

  #hear(message: FromIngestWorker): void {
    if (message.type === "event") {
      const { event, fields } = message.event;
      this.#options.events.emit(event, fields as never);
    } else if (message.type === "report") {
      this.#report = message.report;
      this.#options.onReport(message.report);
    }
  }

  #lost(reason: "compromised"): void {
    this.#options.events.emit("leader_lost", { reason });
    this.#endWorker();
  }

  #tell(message: ToIngestWorker): void {
    this.#worker?.postMessage(message);
  }

  #endWorker(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    if (!worker) return;
    const ending = ended(worker).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}

/** Asks the worker to finish, and resolves when it has, or when there is nothing left to wait for. */
export async function ended(worker: Worker): Promise<void> {
  const timers: NodeJS.Timeout[] = [];
  const later = (act: () => void, ms: number) => timers.push(setTimeout(act, ms));
  await new Promise<void>((resolve) => {
    worker.once("exit", () => resolve());
    worker.postMessage({ type: "stop" } satisfies ToIngestWorker);
    later(() => void worker.terminate(), STOP_MS);
    later(() => {
      noteStuckThread(worker);
      resolve();
    }, STOP_MS + TERMINATE_MS);
  });
  for (const timer of timers) clearTimeout(timer);
}
