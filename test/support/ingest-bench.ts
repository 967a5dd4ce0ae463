/** A queue with an ingester on it, and everything a test wants to look at. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import type { IngestReport } from "../../src/ingest/ingest-report.ts";
import { Ingester, type IngesterOptions } from "../../src/ingest/ingester.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { markPath, pendingPath, type QueueLayout } from "../../src/queue/layout.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { FakeStore } from "./fake-store.ts";
import { freshDirectory } from "./fresh-directory.ts";
import { RecordedEvents } from "./recorded-events.ts";

/** A poll that no test waits for. */
export const NEVER_MS = 1_000_000;

export class IngestBench {
  readonly home = freshDirectory();
  readonly queue: CaptureQueue;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events = new RecordedEvents();
  readonly store = new FakeStore();
  readonly storeFile = join(this.home, "store", "memspool.db");
  readonly reports: IngestReport[] = [];

  constructor(clock: Clock = systemClock) {
    this.clock = clock;
    this.queue = new CaptureQueue({ queueDir: join(this.home, "queue"), clock });
    this.layout = this.queue.layout;
  }

  /** Captures the texts one after another; returns their ids. */
  async append(...texts: string[]): Promise<string[]> {
    const ulids: string[] = [];
    for (const surface of texts) ulids.push((await this.queue.append({ surface })).ulid);
    return ulids;
  }

  /** Captures `count` texts. */
  appendMany(count: number): Promise<string[]> {
    return this.append(...Array.from({ length: count }, (_, n) => `text ${n}`));
  }

  ingester(options: Partial<IngesterOptions> = {}): Ingester {
    const ingester = new Ingester({
      fs: nodeDurableFsSync,
      layout: this.layout,
      clock: this.clock,
      events: this.events,
      attemptsMax: 3,
      batchRecordsMax: 500,
      pollMs: NEVER_MS,
      random: () => 0,
      openStore: async () => this.store.asStore(),
      onReport: (report) => this.reports.push(report),
      ...options,
    });
    onTestFinished(() => ingester.stop());
    return ingester;
  }

  openSqlite(): Promise<MemoryStore> {
    return openStore({ file: this.storeFile, events: this.events, clock: this.clock });
  }

  pending(): string[] {
    return readdirSync(this.layout.dir)
      .filter((name) => /^pending-.*\.json$/.test(name))
      .sort()
      .map((name) => name.slice("pending-".length, -".json".length));
  }

  marked(ulid: string): boolean {
    return existsSync(markPath(this.layout, ulid));
  }

  /** Changes the envelope's text without mending its checksum. */
  spoil(ulid: string): void {
    this.rewrite(ulid, (text) => text.replace('"surface":"', '"surface":"?'));
  }

  rewrite(ulid: string, change: (text: string) => string): void {
    const path = pendingPath(this.layout, ulid);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  }

  bytesOf(ulid: string): Buffer {
    return readFileSync(pendingPath(this.layout, ulid));
  }

  /** The reason file of a quarantined record; undefined if there is none. */
  reason(ulid: string): { code: string; message: string; attempts: number } | undefined {
    const path = join(this.layout.quarantineDir, `pending-${ulid}`);
    if (!existsSync(`${path}.json`)) return undefined;
    return JSON.parse(readFileSync(`${path}.reason.json`, "utf8"));
  }
}

/** Waits for a condition, within a bound that only a failure reaches. */
export function until(condition: () => void | Promise<void>, timeoutMs = 15_000): Promise<void> {
  return vi.waitFor(condition, { timeout: timeoutMs, interval: 10 });
}

/** A promise with its resolve. */
export function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
