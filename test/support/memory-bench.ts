/**
 * Everything that the memory stands on, for real: a queue and a SQLite store in a fresh directory.
 * The store can be taken away, and something can be made to happen just before it is asked.
 */
import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { ChangeSignal } from "../../src/memory/change-signal.ts";
import { createMemory } from "../../src/memory/create-memory.ts";
import type { CaptureInput, Memory } from "../../src/memory/memory.ts";
import type { IngesterView, MemoryParts } from "../../src/memory/parts.ts";
import type { PressureSources } from "../../src/memory/pressure-report.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { ForgetView } from "../../src/queue/forget-view.ts";
import { pendingPath, type QueueLayout } from "../../src/queue/layout.ts";
import { OverflowView } from "../../src/queue/overflow-view.ts";
import { PendingView } from "../../src/queue/pending-view.ts";
import { quarantine } from "../../src/queue/quarantine.ts";
import {
  encodeSegment,
  newSegmentName,
  readSegment,
  segmentPath,
} from "../../src/queue/spill-segment.ts";
import { decodeEnvelope } from "../../src/record/envelope.ts";
import type { MemoryStore, StoreReader } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { type Faulty, faultyFs } from "./faulty-fs.ts";
import { freshDirectory } from "./fresh-directory.ts";
import { noPressure } from "./no-pressure.ts";
import { RecordedEvents } from "./recorded-events.ts";

export interface MemoryBenchOptions {
  readonly project?: string;
  readonly clock?: Clock;
  /** Bound on pending texts in memory. */
  readonly viewBytesMax?: number;
  /** Bound on spilled ones. */
  readonly spillBytesMax?: number;
  readonly maxRecords?: number;
  readonly overflow?: MemoryParts["overflow"];
  readonly privacy?: MemoryParts["privacy"];
  readonly gate?: MemoryParts["gate"];
}

export class MemoryBench {
  readonly home: string;
  readonly layout: QueueLayout;
  readonly queue: CaptureQueue;
  readonly view: PendingView;
  readonly spillView: OverflowView;
  readonly store: MemoryStore;
  readonly disk: Faulty<MemoryParts["fs"]>;
  readonly events = new RecordedEvents();
  readonly changes = new ChangeSignal();
  readonly memory: Memory;
  readonly clock: Clock;
  /** What every question to the store fails with, while it is set. */
  away: unknown;
  storeExists = true;
  /** Run once, before the store is asked this. */
  readonly before: { [Method in keyof StoreReader]?: () => unknown } = {};
  ingesterView: IngesterView = IDLE;
  /** No look at the disk and no server, unless a test puts them here. */
  pressure: { -readonly [Part in keyof PressureSources]: PressureSources[Part] };
  /** Runs when somebody is asked to drain. */
  onAskToDrain: () => unknown = () => {};
  onCaptured: () => void = () => {};

  private constructor(home: string, store: MemoryStore, options: MemoryBenchOptions) {
    this.home = home;
    this.store = store;
    this.clock = options.clock ?? systemClock;
    this.disk = faultyFs();
    this.pressure = { ...noPressure(this.clock) };
    const { fs } = this.disk;
    const queueDir = join(home, "queue");
    this.queue = new CaptureQueue({ queueDir, events: this.events, clock: this.clock, fs });
    this.layout = this.queue.layout;
    const { viewBytesMax: textBytesMax } = options;
    const forgets = new ForgetView(fs, this.layout, this.clock);
    const hidden = () => forgets.hidden();
    const limits = { hidden, ...(textBytesMax === undefined ? {} : { textBytesMax }) };
    this.view = new PendingView(fs, this.layout, this.clock, limits);
    const { spillBytesMax } = options;
    const spillLimits = {
      hidden,
      ...(spillBytesMax === undefined ? {} : { textBytesMax: spillBytesMax }),
    };
    this.spillView = new OverflowView(fs, this.layout, this.clock, spillLimits);
    this.memory = createMemory(
      {
        queue: this.queue,
        view: this.view,
        spill: this.spillView,
        forgets,
        fsSync: nodeDurableFsSync,
        storeFile: join(home, "store", "memspool.db"),
        maxRecords: options.maxRecords ?? 10_000,
        overflow: options.overflow ?? "spill",
        store: this.#reader(),
        storeExists: async () => this.storeExists,
        fs,
        clock: this.clock,
        events: this.events,
        dataDir: home,
        project: options.project ?? "",
        ...(options.privacy && { privacy: options.privacy }),
        gate: options.gate,
        version: "0.0.0",
        startedAtMs: this.clock.nowMs(),
        ingester: async () => this.ingesterView,
        pressure: this.pressure,
        askToDrain: () => void this.onAskToDrain(),
        health: async () => ({ status: "ok", checks: [] }),
        onCaptured: () => {
          this.onCaptured();
          this.changes.changed();
        },
      },
      this.changes,
    );
  }

  static async open(options: MemoryBenchOptions = {}): Promise<MemoryBench> {
    const home = freshDirectory();
    const store = await openStore({ file: join(home, "store", "memspool.db") });
    const bench = new MemoryBench(home, store, options);
    onTestFinished(async () => {
      bench.changes.close();
      await bench.queue.close();
      await store.close();
    });
    return bench;
  }

  /** A queue object of its own on the same directory, as another process has. */
  otherProcess(): CaptureQueue {
    return new CaptureQueue({ queueDir: this.layout.dir, clock: this.clock });
  }

  /** Captures the texts one after another; returns their ids. */
  async capture(...inputs: (string | CaptureInput)[]): Promise<string[]> {
    const ulids: string[] = [];
    for (const input of inputs) {
      const whole = typeof input === "string" ? { surface: input } : input;
      ulids.push((await this.memory.capture(whole)).ulid);
    }
    return ulids;
  }

  /** Captures and ingests. */
  async captureStored(...inputs: (string | CaptureInput)[]): Promise<string[]> {
    const ulids = await this.capture(...inputs);
    for (const ulid of ulids) await this.ingest(ulid);
    return ulids;
  }

  /** The ingester's first step: the record is in both places. */
  async commit(ulid: string): Promise<void> {
    const envelope = decodeEnvelope(readFileSync(this.path(ulid)), ulid);
    await this.store.commitBatch([envelope]);
  }

  /** Both steps. */
  async ingest(ulid: string): Promise<void> {
    await this.commit(ulid);
    unlinkSync(this.path(ulid));
  }

  /** What a full queue does: the records are in one segment, and no longer pending. */
  spill(...ulids: string[]): string {
    const name = this.copyToSpill(...ulids);
    for (const ulid of ulids) unlinkSync(this.path(ulid));
    return name;
  }

  /** Its first step: the records are in both places. @returns the segment's name */
  copyToSpill(...ulids: string[]): string {
    const [first = "", ...rest] = ulids;
    const name = newSegmentName(first, rest.at(-1) ?? first, ulids.length);
    const bytes = encodeSegment(ulids.map((ulid) => readFileSync(this.path(ulid))));
    mkdirSync(this.layout.overflowDir, { recursive: true });
    writeFileSync(segmentPath(this.layout, name), bytes);
    return name;
  }

  /** What the ingester does with a segment: all its records are in the store, and it is gone. */
  async ingestSegment(name: string): Promise<void> {
    const { envelopes } = readSegment(readFileSync(segmentPath(this.layout, name)));
    await this.store.commitBatch(envelopes);
    unlinkSync(segmentPath(this.layout, name));
  }

  /** What the ingester does with a record that is at fault. */
  setAside(ulid: string): void {
    const parts = { fs: nodeDurableFsSync, layout: this.layout, clock: this.clock };
    const reason = {
      code: "STORE_REFUSED",
      message: "The store refused it.",
      attempts: 3,
    } as const;
    quarantine(parts, ulid, reason);
  }

  /** Makes something happen just before the path is looked at for the first time. */
  whenLookingAt(path: string, act: () => Promise<void>): void {
    const { fs } = this.disk as { fs: { facts: MemoryParts["fs"]["facts"] } };
    const { facts } = fs;
    fs.facts = async (asked) => {
      if (asked === path) {
        fs.facts = facts;
        await act();
      }
      return facts(asked);
    };
  }

  path(ulid: string): string {
    return pendingPath(this.layout, ulid);
  }

  #reader(): StoreReader {
    const ask = async <T>(method: keyof StoreReader, answer: () => Promise<T>): Promise<T> => {
      const { [method]: act } = this.before;
      delete this.before[method];
      await act?.();
      if (this.away !== undefined) throw this.away;
      return answer();
    };
    const { store } = this;
    return {
      get: (ulid) => ask("get", () => store.get(ulid)),
      lookup: (ulids) => ask("lookup", () => store.lookup(ulids)),
      sameRecords: (ulids) => ask("sameRecords", () => store.sameRecords(ulids)),
      matching: (query) => ask("matching", () => store.matching(query)),
      candidates: (query) => ask("candidates", () => store.candidates(query)),
      neighbours: (query) => ask("neighbours", () => store.neighbours(query)),
      spellings: (words) => ask("spellings", () => store.spellings(words)),
      timeline: (query) => ask("timeline", () => store.timeline(query)),
      facets: (kind, filter, limit) => ask("facets", () => store.facets(kind, filter, limit)),
      stats: () => ask("stats", () => store.stats()),
      check: () => ask("check", () => store.check()),
      auditRows: (query) => ask("auditRows", () => store.auditRows(query)),
      auditCounts: () => ask("auditCounts", () => store.auditCounts()),
      auditIndex: (query) => ask("auditIndex", () => store.auditIndex(query)),
      close: () => ask("close", () => store.close()),
    };
  }
}

export const IDLE: IngesterView = {
  leader: null,
  thisProcessLeads: false,
  lastBatch: null,
  delayed: null,
  ratePerS: 0,
  totals: { ingested: 0, duplicates: 0, quarantined: 0, expired: 0 },
};

export function storeIsAway(): MemspoolError {
  return new MemspoolError("STORE_UNAVAILABLE", "The store is away. Try again.", {
    details: { reason: "test" },
  });
}

/** The code that the call fails with; an answer is a failure of the test. */
export async function failureCode(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    (value) => new Error(`answered ${JSON.stringify(value)}`),
    (failure: unknown) => failure,
  );
  if (error instanceof MemspoolError) return error.code;
  throw error;
}
