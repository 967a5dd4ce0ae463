/**
 * A StoreReader for the thread that talks to the client: each call is answered by a worker, which
 * is started by the first call, ended when unused, and started anew after it died.
 *
 * Guarantees: a call settles within its time limit, whatever the worker does, and fails as
 * STORE_UNAVAILABLE if the store or the worker is away; the next call tries again. Calls in flight
 * and waiting are bounded. `close` returns within its limit. An idle worker does not keep the
 * process alive; a call under way does. Does not repeat calls.
 */
import { errorFromReport, MemspoolError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { MatchingQuery } from "./forgetting.ts";
import type {
  AuditCounts,
  AuditIndexQuery,
  AuditIndexResult,
  AuditRowsPage,
  AuditRowsQuery,
  CandidateQuery,
  CandidateSet,
  Facet,
  FacetKind,
  NeighbourQuery,
  NeighbourSet,
  RecordFilter,
  StoreCheck,
  StoredRecord,
  StoreLookup,
  StoreReader,
  StoreStats,
  TimelineQuery,
} from "./memory-store.ts";
import type { StoreMethod, StoreReply } from "./store-protocol.ts";
import type { StartStoreWorker, StoreWorker } from "./store-worker-handle.ts";

export interface StoreClientLimits {
  /** Calls that the worker has been given. */
  readonly inFlightMax: number;
  /** Calls that wait for a place in flight; a further one fails at once. */
  readonly waitingMax: number;
  /** From the call on, waiting included. */
  readonly callTimeMs: number;
  /** A worker costs about 10 MB; it is ended when unused for this long. */
  readonly idleMs: number;
  /** What a worker gets to close its store before it is terminated. */
  readonly closeMs: number;
}

export const STORE_CLIENT_LIMITS: StoreClientLimits = {
  inFlightMax: 64,
  waitingMax: 1_024,
  callTimeMs: 10_000,
  idleMs: 60_000,
  closeMs: 500,
};

export interface StoreClientOptions {
  /** See store-worker-handle.ts; a seam for tests. */
  readonly startWorker: StartStoreWorker;
  readonly events: Events;
  readonly limits?: Partial<StoreClientLimits>;
}

interface Call {
  readonly id: number;
  readonly method: StoreMethod;
  readonly args: unknown[];
  readonly timer: NodeJS.Timeout;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export class StoreClient implements StoreReader {
  readonly #options: StoreClientOptions;
  readonly #limits: StoreClientLimits;
  readonly #inFlight = new Map<number, Call>();
  readonly #waiting = new Map<number, Call>();
  /** Workers that are on their way out. */
  readonly #ending = new Set<Promise<void>>();
  #worker: StoreWorker | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #lastId = 0;
  #closed = false;

  constructor(options: StoreClientOptions) {
    this.#options = options;
    this.#limits = { ...STORE_CLIENT_LIMITS, ...options.limits };
  }

  get(ulid: string): Promise<StoredRecord | undefined> {
    return this.#call("get", [ulid]);
  }

  lookup(ulids: readonly string[]): Promise<ReadonlyMap<string, StoreLookup>> {
    return this.#call("lookup", [ulids]);
  }

  sameRecords(ulids: readonly string[]): Promise<readonly string[]> {
    return this.#call("sameRecords", [ulids]);
  }

  matching(query: MatchingQuery<RecordFilter>): Promise<readonly string[]> {
    return this.#call("matching", [query]);
  }

  candidates(query: CandidateQuery): Promise<CandidateSet> {
    return this.#call("candidates", [query]);
  }

  neighbours(query: NeighbourQuery): Promise<NeighbourSet> {
    return this.#call("neighbours", [query]);
  }

  spellings(words: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    return this.#call("spellings", [words]);
  }

  timeline(query: TimelineQuery): Promise<readonly StoredRecord[]> {
    return this.#call("timeline", [query]);
  }

  facets(kind: FacetKind, filter: RecordFilter, limit: number): Promise<readonly Facet[]> {
    return this.#call("facets", [kind, filter, limit]);
  }

  stats(): Promise<StoreStats> {
    return this.#call("stats", []);
  }

  check(): Promise<readonly StoreCheck[]> {
    return this.#call("check", []);
  }

  auditRows(query: AuditRowsQuery): Promise<AuditRowsPage> {
    return this.#call("auditRows", [query]);
  }

  auditCounts(): Promise<AuditCounts> {
    return this.#call("auditCounts", []);
  }

  auditIndex(query: AuditIndexQuery): Promise<AuditIndexResult> {
    return this.#call("auditIndex", [query]);
  }

  /** Fails the calls that are under way and ends the worker. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retireWorker();
    for (const calls of [this.#inFlight, this.#waiting]) this.#fail(calls, awayError("closed"));
    await Promise.all(this.#ending);
  }

  #call<T>(method: StoreMethod, args: unknown[]): Promise<T> {
    if (this.#closed) return Promise.reject(awayError("closed"));
    if (this.#waiting.size >= this.#limits.waitingMax) {
      return Promise.reject(awayError("too_many_calls"));
    }
    const id = ++this.#lastId;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => this.#timeOut(id), this.#limits.callTimeMs);
      this.#waiting.set(id, { id, method, args, timer, resolve, reject });
      this.#pump();
    });
  }

  /** Hands waiting calls to the worker while there is room. */
  #pump(): void {
    for (const call of this.#waiting.values()) {
      if (this.#inFlight.size >= this.#limits.inFlightMax) break;
      this.#waiting.delete(call.id);
      this.#inFlight.set(call.id, call);
      try {
        this.#worker ??= this.#startWorker();
        this.#worker.post({ kind: "call", id: call.id, method: call.method, args: call.args });
      } catch (error) {
        this.#take(call.id)?.reject(awayError("worker_failed", error));
      }
    }
    clearTimeout(this.#idleTimer);
    if (this.#inFlight.size === 0 && this.#worker !== undefined) {
      this.#idleTimer = setTimeout(() => this.#retireWorker(), this.#limits.idleMs);
      this.#idleTimer.unref();
    }
  }

  #startWorker(): StoreWorker {
    const worker = this.#options.startWorker({
      onReply: (reply) => this.#settle(reply),
      onEnd: (error) => {
        // One that was retired has nothing in flight any more.
        if (this.#worker !== worker) return;
        this.#worker = undefined;
        this.#fail(this.#inFlight, awayError("worker_ended", error));
        this.#pump();
      },
    });
    return worker;
  }

  #settle(reply: StoreReply): void {
    if (reply.kind === "event") {
      this.#options.events.emit(reply.event, reply.fields);
      return;
    }
    const call = this.#take(reply.id);
    if (reply.kind === "value") call?.resolve(reply.value as never);
    else if (reply.kind === "json") call?.resolve(JSON.parse(reply.text) as never);
    else call?.reject(errorFromReport(reply.report));
    this.#pump();
  }

  /**
   * A call that takes this long blocks those behind it, and a thread inside SQLite can only be
   * terminated: the worker goes, and what it had in hand fails with it.
   */
  #timeOut(id: number): void {
    const wasInFlight = this.#inFlight.has(id);
    this.#take(id)?.reject(awayError("timed_out"));
    if (!wasInFlight) return;
    this.#retireWorker();
    this.#fail(this.#inFlight, awayError("worker_ended"));
    this.#pump();
  }

  #fail(calls: ReadonlyMap<number, Call>, error: MemspoolError): void {
    for (const id of [...calls.keys()]) this.#take(id)?.reject(error);
  }

  #take(id: number): Call | undefined {
    const call = this.#inFlight.get(id) ?? this.#waiting.get(id);
    this.#inFlight.delete(id);
    this.#waiting.delete(id);
    clearTimeout(call?.timer);
    return call;
  }

  #retireWorker(): void {
    clearTimeout(this.#idleTimer);
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const ending = worker.end(this.#limits.closeMs).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  closed: "The store's reader was closed because the server is stopping.",
  too_many_calls: "Too many questions wait for the store. Ask again in a moment.",
  timed_out: "The store did not answer in time. Try again; a narrower filter is faster.",
  worker_failed: "The store's reader could not be started. Try again.",
  worker_ended: "The store's reader stopped in the middle of the question. Try again.",
};

function awayError(reason: string, cause?: unknown): MemspoolError {
  return new MemspoolError("STORE_UNAVAILABLE", ADVICE[reason] as string, {
    details: { reason },
    ...(cause === undefined ? {} : { cause }),
  });
}
