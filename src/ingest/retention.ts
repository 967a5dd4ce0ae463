/**
 * Forgets what is older than the settings say, by ordinary orders to forget.
 *
 *   due ──▶ expired ids of the store ──▶ a few orders, durable ──▶ (purger.ts) ──▶ more? ──▶ in an hour
 *
 * Guarantees: off unless configured; then it looks once at the start and every RETENTION_LOOK_MS. A
 * record's age counts from when it was captured, whatever time it tells of, and one exactly as old as
 * the setting stays. A round is ROUND_ORDERS_MAX orders, and the next begins only when they are carried
 * out, so that what waits is ingested in between. Killed anywhere, an order that is durable is carried
 * out and the next look finds the rest. Does not guarantee against a clock that is wrong, nor reach
 * what is not ingested yet.
 */
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { placeOrder } from "../queue/forget-order.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { generateUlid } from "../record/record-id.ts";
import { type ExpiredQuery, FORGET_BATCH_COUNT_MAX } from "../store/forgetting.ts";
import type { MemoryStore } from "../store/memory-store.ts";

export const RETENTION_LOOK_MS = 3_600_000;
export const RETENTION_REASON = "retention";
const ROUND_ORDERS_MAX = 5;
const DAY_MS = 86_400_000;

/** In days; 0 keeps for ever. */
export interface RetentionSettings {
  readonly days: number;
  /** Project → days instead; "" is for records without one. */
  readonly projects: Readonly<Record<string, number>>;
}

export interface RetentionParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  /** Without it nothing is ever forgotten by itself. */
  readonly retention?: RetentionSettings | undefined;
  readonly storeIsThere?: (() => boolean) | undefined;
}

export class Retention {
  readonly #parts: RetentionParts;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #forgotten = 0;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** Records that were ordered to be forgotten since the start. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /**
   * One round, if it is time. Not while orders are left: what they name may still be found.
   * @returns whether there may be more
   * @throws what openStore throws; MemspoolError STORE_UNAVAILABLE, DATA_DIR_UNUSABLE
   */
  async round(openStore: () => Promise<MemoryStore>, ordersLeft: () => number): Promise<boolean> {
    const { clock, events, retention, storeIsThere } = this.#parts;
    if (retention === undefined || clock.monotonicMs() - this.#lookedAtMs < RETENTION_LOOK_MS) {
      return false;
    }
    const queries = expiredQueries(retention, clock.nowMs());
    if (queries.length === 0 || storeIsThere?.() !== true || ordersLeft() > 0) return false;
    const store = await openStore();
    let count = 0;
    let orders = 0;
    for (const query of queries) {
      for (let after = ""; orders < ROUND_ORDERS_MAX; ) {
        const ids = await store.expired({ ...query, after, countMax: FORGET_BATCH_COUNT_MAX });
        if (ids.length === 0) break;
        this.#order(ids);
        after = ids.at(-1) ?? "";
        count += ids.length;
        orders++;
      }
    }
    if (orders < ROUND_ORDERS_MAX) this.#lookedAtMs = clock.monotonicMs();
    if (count === 0) return false;
    this.#forgotten += count;
    events.emit("retention_applied", { count, orders });
    return true;
  }

  /** Other ids of the same records follow from the store when the order is carried out. */
  #order(ulids: readonly string[]): void {
    const { fs, layout, clock } = this.#parts;
    const at = new Date(clock.nowMs()).toISOString();
    const order = { request: generateUlid(), at, reason: RETENTION_REASON, ulids: [...ulids] };
    placeOrder(fs, layout, order);
  }
}

/** One for each project that has days of its own, and one for all others. */
export function expiredQueries(
  { days, projects }: RetentionSettings,
  nowMs: number,
): Omit<ExpiredQuery, "after" | "countMax">[] {
  const own = Object.entries(projects);
  const rules = [
    ...own.map(([project, ownDays]) => ({ days: ownDays, projects: [project], isExcept: false })),
    { days, projects: own.map(([project]) => project), isExcept: true },
  ];
  return rules
    .filter((rule) => rule.days > 0)
    .map((rule) => ({ ...rule, beforeMs: nowMs - rule.days * DAY_MS }))
    .map(({ beforeMs, isExcept, ...rule }) => ({ beforeMs, isExcept, projects: rule.projects }));
}
