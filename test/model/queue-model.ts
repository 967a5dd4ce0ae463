/**
 * The queue as a few lists in memory, the real one beside it, and what must be equal between them.
 *
 * Guarantees: the model knows what was given in, what was said, and what was done; it looks at the
 * disk only for which file lies where, never for what a record says. Does not predict which of two
 * records with one idempotency key is first, nor which are spilled: there it checks that whatever
 * happened is one of the allowed outcomes.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { silentEvents } from "../../src/events/catalogue.ts";
import { Ingester } from "../../src/ingest/ingester.ts";
import { ChangeSignal } from "../../src/memory/change-signal.ts";
import { createMemory } from "../../src/memory/create-memory.ts";
import type { Memory } from "../../src/memory/memory.ts";
import type { MemoryParts } from "../../src/memory/parts.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { MARK_FRESH_MS } from "../../src/queue/claim.ts";
import { ForgetView } from "../../src/queue/forget-view.ts";
import { markPath, pendingUlid, type QueueLayout } from "../../src/queue/layout.ts";
import { processMemory } from "../../src/queue/mark-memory.ts";
import { OverflowView } from "../../src/queue/overflow-view.ts";
import { PendingView } from "../../src/queue/pending-view.ts";
import type { OverflowPolicy } from "../../src/queue/room.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { ShiftedClock } from "../crash/crash-world.ts";
import { memoryFs, memoryFsSync, memoryRoot } from "../crash/unsynced-fs.ts";
import { IDLE } from "../support/memory-bench.ts";
import { noPressure } from "../support/no-pressure.ts";

export const MAX_SIZE = 4;

export interface ModelRecord {
  readonly ulid: string;
  readonly text: string;
  readonly key: string | undefined;
  /** In the queue or in a segment. */
  waiting: boolean;
  /** Its pending file was damaged. */
  corrupt: boolean;
  stored: "no" | "ingested" | "duplicate";
  /** Files of it in quarantine that are whole, and those that are not. */
  setAside: number;
  setAsideDamaged: number;
  dropped: boolean;
}

/** What the world should look like. */
export class QueueModel {
  readonly records: ModelRecord[] = [];
  readonly policy: OverflowPolicy;
  /** Texts given in so far, captured or not. */
  texts = 0;

  constructor(policy: OverflowPolicy) {
    this.policy = policy;
  }

  byUlid(ulid: string): ModelRecord | undefined {
    return this.records.find((record) => record.ulid === ulid);
  }
}

export type CommitBatch = MemoryStore["commitBatch"];

/** The real thing, with a SQLite store. */
export class QueueWorld {
  readonly policy: OverflowPolicy;
  readonly clock = new ShiftedClock();
  readonly home: string;
  readonly store: MemoryStore;
  /** What the ingester commits with; a negative control puts something else here. */
  readonly commitBatch: CommitBatch;
  queue: CaptureQueue;
  memory: Memory;

  private constructor(home: string, store: MemoryStore, policy: OverflowPolicy, commit?: Sabotage) {
    this.home = home;
    this.store = store;
    this.policy = policy;
    const honest: CommitBatch = (items) => store.commitBatch(items);
    this.commitBatch = commit?.(honest) ?? honest;
    this.queue = this.#newQueue();
    this.memory = this.#newMemory();
  }

  static async open(policy: OverflowPolicy, commit?: Sabotage): Promise<QueueWorld> {
    const home = mkdtempSync(join(memoryRoot(), "memspool-model-"));
    const store = await openStore({ file: join(home, "store", "memspool.db") });
    return new QueueWorld(home, store, policy, commit);
  }

  get layout(): QueueLayout {
    return this.queue.layout;
  }

  /** What a new process on the same directory knows: nothing of the last one's marks. */
  async restart(): Promise<void> {
    await this.queue.close();
    const memory = processMemory(this.layout.dir);
    memory.own.clear();
    memory.active.clear();
    this.queue = this.#newQueue();
    this.memory = this.#newMemory();
  }

  async drain(): Promise<void> {
    const ingester = new Ingester({
      fs: memoryFsSync,
      layout: this.layout,
      clock: this.clock,
      events: silentEvents,
      attemptsMax: 1,
      batchRecordsMax: 3,
      pollMs: 1_000_000,
      random: () => 0,
      openStore: async () => ({ ...this.store, commitBatch: this.commitBatch, close: noClose }),
      onReport: () => {},
    });
    try {
      await ingester.drain({ dueOrNot: true });
    } finally {
      await ingester.stop();
    }
  }

  /** Ids of pending files, oldest first. */
  pending(): string[] {
    const dir = this.layout.dir;
    if (!statSync(dir, { throwIfNoEntry: false })) return [];
    return readdirSync(dir)
      .map(pendingUlid)
      .filter((ulid) => ulid !== undefined)
      .sort();
  }

  /** Whether a mark of another process keeps us from the record. */
  isHeld(ulid: string): boolean {
    const mark = statSync(markPath(this.layout, ulid), { throwIfNoEntry: false });
    if (!mark || processMemory(this.layout.dir).own.has(ulid)) return false;
    return Math.abs(this.clock.nowMs() - mark.mtimeMs) <= MARK_FRESH_MS;
  }

  async close(): Promise<void> {
    await this.queue.close();
    await this.store.close();
    rmSync(this.home, { recursive: true, force: true });
  }

  #newQueue(): CaptureQueue {
    return new CaptureQueue({
      queueDir: join(this.home, "queue"),
      maxSize: MAX_SIZE,
      overflow: this.policy,
      attemptsMax: 1,
      clock: this.clock,
      fs: memoryFs,
      fsSync: memoryFsSync,
    });
  }

  #newMemory(): Memory {
    const { clock, home, queue, store } = this;
    const parts = {
      queue,
      store,
      clock,
      fs: memoryFs,
      view: new PendingView(memoryFs, queue.layout, clock),
      spill: new OverflowView(memoryFs, queue.layout, clock),
      forgets: new ForgetView(memoryFs, queue.layout, clock),
      fsSync: memoryFsSync,
      storeFile: join(home, "store", "memspool.db"),
      maxRecords: MAX_SIZE,
      overflow: this.policy,
      storeExists: async () => true,
      events: silentEvents,
      dataDir: home,
      project: "",
      version: "0.0.0",
      startedAtMs: clock.nowMs(),
      ingester: async () => IDLE,
      pressure: noPressure(clock),
      askToDrain: () => {},
      health: async () => ({ status: "ok", checks: [] }),
      onCaptured: () => {},
    } satisfies MemoryParts;
    return createMemory(parts, new ChangeSignal());
  }
}

export type Sabotage = (honest: CommitBatch) => CommitBatch;

async function noClose(): Promise<void> {}

/** Receipts, texts and search of every record, and the bound on pending ones. */
export async function expectAgreement(model: QueueModel, world: QueueWorld): Promise<void> {
  expect(world.pending().length).toBeLessThanOrEqual(MAX_SIZE);
  for (const record of model.records) {
    const { state } = await world.memory.receipt(record.ulid);
    expect([record.ulid, state]).toEqual([record.ulid, expect.toBeOneOf(statesOf(model, record))]);
    const legible = record.stored !== "no" || (record.waiting && !record.corrupt);
    if (!legible) continue;
    const got = await world.memory.get({ ulid: record.ulid });
    expect(got.record.surface).toBe(record.text);
  }
}

/** Every record is found by the word that only it has, and nothing else is. */
export async function expectFound(model: QueueModel, world: QueueWorld): Promise<void> {
  for (const record of model.records) {
    const [word = ""] = record.text.split(" ");
    const { results } = await world.memory.search({ query: word, project: "*" });
    const legible = record.stored === "ingested" || (record.waiting && !record.corrupt);
    const alike = model.records.filter(({ text }) => text === record.text);
    const found = results.map(({ ulid }) => ulid);
    if (legible && record.stored !== "duplicate") expect(found).toContain(record.ulid);
    for (const ulid of found) expect(alike.map((one) => one.ulid)).toContain(ulid);
  }
}

function statesOf({ policy }: QueueModel, record: ModelRecord): string[] {
  const { waiting, corrupt, stored, dropped } = record;
  // A repeat of a spilled id is pending as well, and damage there leaves the segment whole.
  const spilled = waiting && policy === "spill" ? ["spilled"] : [];
  if (waiting && !corrupt) return ["pending", ...spilled];
  if (stored !== "no") return [stored, ...spilled];
  if (record.setAside + record.setAsideDamaged > 0) return ["quarantined", ...spilled];
  if (waiting) return ["pending", ...spilled];
  return [dropped ? "dropped" : "unknown"];
}
