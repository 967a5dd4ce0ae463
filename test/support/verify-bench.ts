/** A data directory that lives: captures, overflow, a real ingester and store, and verify on top. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Ingester } from "../../src/ingest/ingester.ts";
import { openIngestStore } from "../../src/ingest/open-ingest-store.ts";
import type { VerifyOptions, VerifyParts, VerifyReport } from "../../src/memory/verify/report.ts";
import { verify } from "../../src/memory/verify/verify.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue, type CaptureQueueOptions } from "../../src/queue/capture-queue.ts";
import { pendingPath, type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { emptyUntilMade } from "../../src/store/unmade-store.ts";
import { openRaw } from "../store/open-sqlite.ts";
import { freshDirectory } from "./fresh-directory.ts";
import { RecordedEvents } from "./recorded-events.ts";

export const NOTHING_FOUND = {
  captured: 0,
  stored: 0,
  duplicates: 0,
  pending: 0,
  spilled: 0,
  quarantined: 0,
  forgotten: 0,
  dropped: 0,
  missing: 0,
  unledgered: 0,
};

export type Sum = typeof NOTHING_FOUND;

export class VerifyBench {
  readonly home = freshDirectory();
  readonly layout: QueueLayout = queueLayout(join(this.home, "queue"));
  readonly storeFile = join(this.home, "store", "memspool.db");
  readonly queue: CaptureQueue;
  readonly events = new RecordedEvents();
  readonly clock: Clock;
  #ingester: Ingester | undefined;
  #reader: MemoryStore | undefined;

  constructor(options: Partial<CaptureQueueOptions> = {}) {
    this.clock = options.clock ?? systemClock;
    this.queue = this.openQueue(options);
    onTestFinished(async () => {
      await this.#ingester?.stop();
      await this.#reader?.close();
    });
  }

  /** Another queue object on the directory, as another process has. */
  openQueue(options: Partial<CaptureQueueOptions> = {}): CaptureQueue {
    const queue = new CaptureQueue({
      queueDir: this.layout.dir,
      events: this.events,
      clock: this.clock,
      ...options,
    });
    onTestFinished(() => queue.close());
    return queue;
  }

  async capture(...records: (string | MemoryRecord)[]): Promise<string[]> {
    const ulids: string[] = [];
    for (const record of records) {
      const whole = typeof record === "string" ? { surface: record } : record;
      ulids.push((await this.queue.append(whole)).ulid);
    }
    return ulids;
  }

  /** Captures `count` different texts at once; their ids in order. */
  async captureMany(count: number): Promise<string[]> {
    const texts = Array.from({ length: count }, (_, n) => `text number ${n}`);
    return (await Promise.all(texts.map((text) => this.capture(text)))).flat();
  }

  async drain(): Promise<void> {
    this.#ingester ??= new Ingester({
      fs: nodeDurableFsSync,
      layout: this.layout,
      clock: this.clock,
      events: this.events,
      attemptsMax: 3,
      batchRecordsMax: 500,
      pollMs: 1_000_000,
      random: () => 0,
      onReport: () => {},
      openStore: () => openIngestStore(this.storeFile, this.layout, this.events),
    });
    await this.#ingester.drain({ dueOrNot: true });
  }

  /** Lets go of the store, so that its file can be changed or moved. */
  async letGo(): Promise<void> {
    await this.#ingester?.stop();
    await this.#reader?.close();
    this.#ingester = undefined;
    this.#reader = undefined;
  }

  /** Changes the store's tables behind its back. */
  sql(...statements: string[]): void {
    const db = openRaw(this.storeFile);
    db.exec("PRAGMA foreign_keys = OFF");
    for (const sql of statements) db.exec(sql);
    db.close();
  }

  async parts(changes: Partial<VerifyParts> = {}): Promise<VerifyParts> {
    const isThere = existsSync(this.storeFile);
    if (isThere) this.#reader ??= await openStore({ file: this.storeFile, readOnly: true });
    const reader = this.#reader ?? ({} as MemoryStore);
    return {
      fs: nodeDurableFsSync,
      asyncFs: nodeDurableFs,
      layout: this.layout,
      clock: systemClock,
      store: emptyUntilMade(() => isThere, reader),
      ...changes,
    };
  }

  async verify(
    options: VerifyOptions = {},
    changes: Partial<VerifyParts> = {},
  ): Promise<VerifyReport> {
    return verify(await this.parts(changes), options);
  }

  pending(): string[] {
    return readdirSync(this.layout.dir)
      .filter((name) => /^pending-.*\.json$/.test(name))
      .map((name) => name.slice("pending-".length, -".json".length))
      .sort();
  }

  path(ulid: string): string {
    return pendingPath(this.layout, ulid);
  }

  /** The only file of the archive. */
  archiveFile(): string {
    const names = readdirSync(this.layout.doneDir);
    if (names.length !== 1) throw new Error(`the archive has ${names.length} files`);
    return join(this.layout.doneDir, names[0] as string);
  }

  /** The only file of the ledger; a test that runs over a full hour has two. */
  ledgerFile(): string {
    const names = readdirSync(this.layout.dir).filter((name) => name.startsWith(".ledger-"));
    return join(this.layout.dir, names.sort().at(-1) as string);
  }

  ledgerLines(): string[] {
    return readFileSync(this.ledgerFile(), "latin1").split("\n").filter(Boolean);
  }
}

/** The numbers of the sum alone. */
export function sumOf(report: VerifyReport): Sum {
  const names = Object.keys(NOTHING_FOUND) as (keyof Sum)[];
  return Object.fromEntries(names.map((name) => [name, report[name]])) as Sum;
}

/** Kind → count of what was found. */
export function problemsOf(report: VerifyReport): Record<string, number> {
  return Object.fromEntries(report.problems.map(({ kind, count }) => [kind, count]));
}

export function notesOf(report: VerifyReport): Record<string, number> {
  return Object.fromEntries(report.notes.map(({ kind, count }) => [kind, count]));
}
