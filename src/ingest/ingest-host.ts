/**
 * The main thread's side of ingestion: stands for election, runs the ingester in a worker while
 * elected, passes hints on.
 *
 *   follower ──elected──▶ leading (worker runs) ──compromised, worker ended──▶ follower
 *                any ──stop──▶ stopped
 *
 * Guarantees: wake-up hints are joined, at most one a WAKE_INTERVAL_MS; `stop` asks the worker to
 * finish its batch, ends it after STOP_MS at the latest, and gives the lease back afterwards.
 * A worker that dies takes nothing with it: everything it had in hand is still on disk.
 */
import { Worker } from "node:worker_threads";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { Election } from "./election.ts";
import type { FromIngestWorker, IngestWorkerData, ToIngestWorker } from "./ingest-messages.ts";
import type { IngestReport } from "./ingester.ts";

export const STOP_MS = 2_500;
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
}

export class IngestHost {
  readonly #options: IngestHostOptions;
  readonly #election: Election;
  #worker: Worker | undefined;
  #wake: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;
  #report: IngestReport | undefined;

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

  /** Somebody wants the queue drained now. Returns false if another process has to do it. */
  flush(): boolean {
    return this.#tell({ type: "flush" });
  }

  /** Idempotent; takes STOP_MS and a moment at most. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#wake);
    await this.#endWorker();
    await this.#election.stop();
  }

  #startWorker(): void {
    const { workerUrl, workerData, events } = this.#options;
    const worker = new Worker(workerUrl, { workerData, stdout: true });
    worker.stdout.resume(); // stdout belongs to the protocol: nothing a worker prints gets there
    worker.unref();
    worker.on("message", (message: FromIngestWorker) => this.#hear(message));
    // An error ends the worker; "exit" follows and does what is to be done.
    worker.on("error", () => {});
    worker.on("exit", () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#options.events.emit("leader_lost", { reason: "worker_ended" });
      void this.#election.resign();
    });
    this.#worker = worker;
    events.emit("leader_elected", { pid: process.pid });
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
    void this.#endWorker();
  }

  #tell(message: ToIngestWorker): boolean {
    this.#worker?.postMessage(message);
    return this.#worker !== undefined;
  }

  async #endWorker(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    if (!worker) return;
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    worker.postMessage({ type: "stop" } satisfies ToIngestWorker);
    const timer = setTimeout(() => void worker.terminate(), STOP_MS);
    await exited;
    clearTimeout(timer);
  }
}
