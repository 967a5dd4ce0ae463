/**
 * Three servers on one data directory, and captures spread over them while one is killed.
 *
 * Guarantees: a capture without an answer is repeated under its idempotency key until it has one;
 * `acknowledged` holds exactly the ids that a server promised to keep.
 */
import { MemspoolError } from "../errors.ts";
import type { Receipt } from "../memory/memory.ts";
import type { DemoRecord } from "./demo-corpus.ts";
import { ConnectionLost, DemoServer } from "./demo-server.ts";

export interface Acknowledged {
  readonly ulid: string;
  readonly demo: DemoRecord;
  /** Index of the server that gave the receipt. */
  readonly by: number;
}

export interface CaptureOutcome {
  readonly acknowledged: Acknowledged[];
  readonly killed: { readonly name: string; readonly pid: number; readonly after: number };
  /** Captures that the killed server never answered, each repeated. */
  readonly unanswered: number;
}

export const SERVER_COUNT = 3;
const IN_FLIGHT_PER_SERVER = 6;
const ATTEMPTS_MAX = 5;
/** The server that dies, and after which share of all captures. */
const VICTIM = 1;
const KILL_AT_SHARE = 0.4;

export class DemoFleet {
  readonly #entry: string;
  readonly #home: string;
  readonly #servers: Promise<DemoServer>[] = [];

  constructor(entry: string, home: string) {
    this.#entry = entry;
    this.#home = home;
  }

  async start(): Promise<void> {
    for (let n = 0; n < SERVER_COUNT; n++) this.#servers.push(this.#startOne(n));
    await Promise.all(this.#servers);
  }

  async server(n: number): Promise<DemoServer> {
    const server = this.#servers[n % SERVER_COUNT];
    if (server === undefined) throw new TypeError("the fleet has not been started");
    return server;
  }

  async capture(
    records: readonly DemoRecord[],
    onProgress: (done: number) => void,
    signal: AbortSignal,
  ): Promise<CaptureOutcome> {
    const acknowledged: Acknowledged[] = [];
    const queue = [...records].reverse();
    let killed: CaptureOutcome["killed"] | undefined;
    let unanswered = 0;
    const killWhenDue = (server: DemoServer, n: number) => {
      const after = acknowledged.length;
      if (killed !== undefined || n !== VICTIM || after < records.length * KILL_AT_SHARE) return;
      killed = { name: server.name, pid: server.pid, after };
      server.kill();
      this.#servers[VICTIM] = server.gone().then(() => this.#startOne(VICTIM));
    };
    const captureOne = async (demo: DemoRecord, n: number): Promise<string> => {
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        const server = await this.server(n);
        const receipt = server.call<Receipt>("memory_capture", { ...demo.record });
        // The request is on its way: from here on only the data directory knows its outcome.
        killWhenDue(server, n);
        try {
          return (await receipt).ulid;
        } catch (error) {
          if (!(error instanceof ConnectionLost)) throw error;
          unanswered++;
        }
      }
      throw new MemspoolError(
        "INTERNAL",
        `${demo.key} had no answer in ${ATTEMPTS_MAX} attempts. Please report this.`,
      );
    };
    const work = async (n: number) => {
      for (let demo = queue.pop(); demo !== undefined; demo = queue.pop()) {
        signal.throwIfAborted();
        acknowledged.push({ ulid: await captureOne(demo, n), demo, by: n });
        onProgress(acknowledged.length);
      }
    };
    const workers = Array.from({ length: SERVER_COUNT * IN_FLIGHT_PER_SERVER }, (_, each) =>
      work(each % SERVER_COUNT),
    );
    await Promise.all(workers);
    // All done before the kill was due would prove nothing.
    if (killed === undefined) {
      throw new MemspoolError("INTERNAL", "No server was killed. Are the examples in the package?");
    }
    return { acknowledged, killed, unanswered };
  }

  /** Idempotent; kills what does not leave by itself. */
  async close(): Promise<void> {
    const servers = await Promise.allSettled(this.#servers.splice(0));
    await Promise.all(
      servers.map((each) => (each.status === "fulfilled" ? each.value.close() : undefined)),
    );
  }

  #startOne(n: number): Promise<DemoServer> {
    const started = DemoServer.start({
      entry: this.#entry,
      home: this.#home,
      name: `server ${n + 1}`,
    });
    // Whoever asks for this server gets the failure; until then it must not end the process.
    started.catch(() => {});
    return started;
  }
}
