/**
 * Carries out orders to forget.
 *
 *   order ──▶ store: rows out, tombstones in ──▶ queue, spill, quarantine, archive ──▶ scrub ──▶ done
 *
 * Guarantees: an order is settled only when its records are gone from all of these, durably; killed
 * anywhere, the next run begins it anew and every step is harmless when repeated. The tombstones come
 * first, so that whatever still lies in the queue, or is brought there meanwhile, is not taken in. What
 * can not be done now (a record that another process holds, a reader in front of the log) leaves the
 * order where it is, and is tried again; nothing here stops ingestion.
 * Does not guarantee that nobody has read a record before. The blocks of unlinked files belong to the
 * file system.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { MemspoolError, reportError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import type { Claims } from "../queue/claim.ts";
import type { DoneArchive } from "../queue/done-archive.ts";
import { listOrders, type OrderFile, readOrder, settleOrder } from "../queue/forget-order.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { purgeArchive } from "../queue/purge-archive.ts";
import {
  purgePending,
  purgeQuarantine,
  purgeSpilled,
  purgeTemps,
  quarantinedRepetitions,
} from "../queue/purge-queue.ts";
import { queuedEnvelopes } from "../queue/queued-envelopes.ts";
import type { Envelope } from "../record/envelope.ts";
import { FORGET_BATCH_COUNT_MAX } from "../store/forgetting.ts";
import type { MemoryStore } from "../store/memory-store.ts";
import { replayHash } from "../store/replay-hash.ts";

export interface PurgerParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  readonly claims: Claims;
  /** Of this process, if it writes one: it must not go on in a file that was replaced. */
  readonly archive?: Pick<DoneArchive, "close"> | undefined;
}

export interface PurgeRun {
  readonly openStore: () => Promise<MemoryStore>;
  readonly isStopping: () => boolean;
  /** In ids; called between transactions. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface PurgeOutcome {
  /** Orders that were settled. */
  readonly settled: number;
  /** Orders that are left. */
  readonly left: number;
}

/** An order that could not be carried out is not tried at every turn of its caller. */
const RETRY_MS = 1_000;

const NOTHING: PurgeOutcome = { settled: 0, left: 0 };

export class Purger {
  readonly #parts: PurgerParts;
  /** Orders of which only the scrub is left to do. */
  readonly #purged = new Set<string>();
  /** Told once a start. */
  readonly #damaged = new Set<string>();
  #ordersLeft = 0;
  #ranAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: PurgerParts) {
    this.#parts = parts;
  }

  /** Of the last run: they are to be tried again. */
  get ordersLeft(): number {
    return this.#ordersLeft;
  }

  /** As {@link Purger.run}, unless orders were left a moment ago. */
  async runIfDue(run: PurgeRun): Promise<void> {
    const sinceMs = this.#parts.clock.monotonicMs() - this.#ranAtMs;
    if (this.#ordersLeft > 0 && sinceMs < RETRY_MS) return;
    await this.run(run);
  }

  /** Requests that may be carried out. @throws the system error of the directory */
  open(): string[] {
    const { fs, layout } = this.#parts;
    return listOrders(fs, layout.forgetDir).filter((request) => !this.#damaged.has(request));
  }

  /** @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW, and what else openStore throws */
  async run(run: PurgeRun): Promise<PurgeOutcome> {
    const outcome = await this.#run(run);
    this.#ordersLeft = outcome.left;
    this.#ranAtMs = this.#parts.clock.monotonicMs();
    return outcome;
  }

  async #run(run: PurgeRun): Promise<PurgeOutcome> {
    let requests: string[] = [];
    try {
      requests = this.open();
      if (requests.length === 0) return NOTHING;
      return await this.#carryOut(requests, run);
    } catch (error) {
      if (isStoreAway(error)) throw error;
      this.#parts.events.emit("forget_delayed", {
        code: errnoOf(error) === undefined ? reportError(error).code : "DATA_DIR_UNUSABLE",
        errno: errnoOf(error) ?? "",
        orders: requests.length,
      });
      return { settled: 0, left: Math.max(1, requests.length) };
    }
  }

  async #carryOut(requests: readonly string[], run: PurgeRun): Promise<PurgeOutcome> {
    const { fs, layout, clock, events } = this.#parts;
    const startedMs = clock.monotonicMs();
    const purged: OrderFile[] = [];
    for (const request of requests) {
      if (run.isStopping()) break;
      const order = readOrder(fs, layout.forgetDir, request);
      if (order === "damaged") this.#tellDamaged(request);
      else if (order !== "gone" && (await this.#purge(order, run))) purged.push(order);
    }
    if (purged.length === 0) return { settled: 0, left: this.open().length };
    const store = await run.openStore();
    if ((await store.scrub({ isStopping: run.isStopping })) === "clean") {
      for (const { request, ulids } of purged) {
        settleOrder(fs, layout, request);
        this.#purged.delete(request);
        const ms = Math.round(clock.monotonicMs() - startedMs);
        events.emit("records_forgotten", { request, count: ulids.length, ms });
      }
      return { settled: purged.length, left: this.open().length };
    }
    return { settled: 0, left: this.open().length };
  }

  /** @returns whether nothing but the scrub is left to do */
  async #purge(order: OrderFile, run: PurgeRun): Promise<boolean> {
    if (this.#purged.has(order.request)) return true;
    const store = await run.openStore();
    const queued = new Map<string, string>();
    const { fs, layout } = this.#parts;
    for (const { ulid, record, sha256 } of queuedEnvelopes(fs, layout, new Set(order.ulids))) {
      const hash = replayHash(record, sha256);
      if (hash !== undefined) queued.set(ulid, hash);
    }
    await this.#forgetIn(store, order, order.ulids, run, queued);
    const hashes = new Set((await store.tracesOf(order.request)).replayHashes);
    const isRepetition = ({ record, sha256 }: Envelope) =>
      hashes.has(replayHash(record, sha256) ?? "");
    if (hashes.size > 0) {
      const repeated = quarantinedRepetitions(this.#parts, isRepetition);
      if (repeated.length > 0) await this.#forgetIn(store, order, repeated, run);
    }
    // Aliases are known by their tombstones alone, also to whoever goes on after a crash.
    const { ulids } = await store.tracesOf(order.request);
    const wanted = new Set([...order.ulids, ...ulids]);
    if (run.isStopping()) return false;
    this.#parts.archive?.close();
    // The direction in which records move; a retry leads from quarantine back to pending.
    const held = purgePending(this.#parts, wanted);
    purgeSpilled(this.#parts, wanted);
    for (const _ of purgeArchive(this.#parts, wanted)) {
      await nextTurn();
      if (run.isStopping()) return false;
    }
    purgeQuarantine(this.#parts, wanted, isRepetition);
    held.push(...purgePending(this.#parts, wanted));
    purgeTemps(this.#parts, wanted);
    if (held.length > 0) return false;
    this.#purged.add(order.request);
    return true;
  }

  async #forgetIn(
    store: MemoryStore,
    { request, at: forgottenAt, reason }: OrderFile,
    ulids: readonly string[],
    { isStopping, onProgress }: PurgeRun,
    replayHashes: ReadonlyMap<string, string> = new Map(),
  ): Promise<void> {
    for (let from = 0; from < ulids.length; from += FORGET_BATCH_COUNT_MAX) {
      const batch = ulids.slice(from, from + FORGET_BATCH_COUNT_MAX);
      await store.forget({ request, ulids: batch, forgottenAt, reason, replayHashes });
      onProgress?.(from + batch.length, ulids.length);
      await nextTurn();
      if (isStopping()) return;
    }
  }

  #tellDamaged(request: string): void {
    this.#damaged.add(request);
    this.#parts.events.emit("forget_order_damaged", { request });
  }
}

function isStoreAway(error: unknown): boolean {
  return (
    error instanceof MemspoolError &&
    ["STORE_UNAVAILABLE", "STORE_TOO_NEW", "UNSAFE_PATH"].includes(error.code)
  );
}
