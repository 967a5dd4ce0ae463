/** A data directory with a store, an archive and a queue, to be damaged and rebuilt. */
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  type RebuildOptions,
  type RebuildParts,
  rebuildStore,
} from "../../../src/memory/rebuild/rebuild.ts";
import type { DurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../../../src/queue/directories.ts";
import { DoneArchive } from "../../../src/queue/done-archive.ts";
import { pendingPath, type QueueLayout, queueLayout } from "../../../src/queue/layout.ts";
import { encodeSegment, newSegmentName, segmentPath } from "../../../src/queue/spill-segment.ts";
import { encodeEnvelope } from "../../../src/record/envelope.ts";
import type { CommitItem } from "../../../src/store/memory-store.ts";
import { SqliteRebuild } from "../../../src/store/sqlite/rebuild-sqlite.ts";
import { openRaw, openSqlite } from "../../store/open-sqlite.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { RecordedEvents } from "../../support/recorded-events.ts";

export function envelopeOf({ ulid, appendedAt, recordJson, sha256 }: CommitItem): Buffer {
  return encodeEnvelope(ulid, appendedAt, recordJson, sha256);
}

export class RebuildScene {
  readonly home = freshDirectory();
  readonly layout: QueueLayout = queueLayout(join(this.home, "queue"));
  readonly file = join(this.home, "store", "memspool.db");
  readonly clock = new ManualClock();
  readonly events = new RecordedEvents();
  /** What the ledger names. */
  captured: string[] = [];
  excused = new Set<string>();
  fs: DurableFsSync = nodeDurableFsSync;

  constructor() {
    ensureQueueDirectories(nodeDurableFsSync, this.layout);
  }

  /** As the ingester does, in batches of ten. */
  async ingest(items: readonly CommitItem[], { archived = true } = {}): Promise<void> {
    const store = await openSqlite(this.file, { clock: this.clock });
    const archive = new DoneArchive(nodeDurableFsSync, this.layout, this.clock);
    for (let from = 0; from < items.length; from += 10) {
      const batch = items.slice(from, from + 10);
      this.clock.advance(1_000);
      await store.commitBatch(batch);
      if (archived) archive.append(batch.map(envelopeOf));
    }
    archive.close();
    await store.close();
  }

  append(item: CommitItem): void {
    writeFileSync(pendingPath(this.layout, item.ulid), envelopeOf(item));
  }

  spill(items: readonly CommitItem[]): string {
    const [first, last] = [items.at(0)?.ulid ?? "", items.at(-1)?.ulid ?? ""];
    const path = segmentPath(this.layout, newSegmentName(first, last, items.length));
    writeFileSync(path, encodeSegment(items.map(envelopeOf)));
    return path;
  }

  async rebuild(options: RebuildOptions = {}, changes: Partial<RebuildParts> = {}) {
    const { layout, clock, events, fs, file, captured } = this;
    this.clock.advance(1_000);
    return rebuildStore(
      {
        layout,
        clock,
        events,
        fs,
        openRebuild: () => SqliteRebuild.open({ file, fs, clock }),
        requireLease: () => {},
        capturedIds: () => inOne(captured),
        excusedIds: async () => this.excused,
        ...changes,
      },
      options,
    );
  }

  storeNames(): string[] {
    return readdirSync(join(this.home, "store")).sort();
  }

  archiveFiles(): string[] {
    return readdirSync(this.layout.doneDir)
      .sort()
      .map((name) => join(this.layout.doneDir, name));
  }

  dump(file = this.file): StoreDump {
    return dumpStore(file);
  }
}

async function* inOne(ulids: readonly string[]): AsyncGenerator<readonly string[]> {
  yield ulids;
}

export interface StoreDump {
  readonly records: readonly Record<string, unknown>[];
  readonly aliases: readonly Record<string, unknown>[];
  readonly supersessions: readonly Record<string, unknown>[];
  readonly tags: readonly Record<string, unknown>[];
}

/** Everything but row numbers, in an order of its own. */
function dumpStore(file: string): StoreDump {
  const db = openRaw(file);
  const all = (sql: string) =>
    db
      .prepare(sql)
      .all()
      .map((row) => ({ ...(row as object) }));
  const dump = {
    records: all(
      `SELECT ulid, sha256, appended_at, ingested_at, at_ms, term_count, turn, project, session_id,
         role, tier, source, idempotency_key, record FROM records ORDER BY ulid`,
    ),
    aliases: all("SELECT * FROM aliases ORDER BY ulid"),
    supersessions: all("SELECT * FROM supersessions ORDER BY target, by_ulid"),
    tags: all(
      "SELECT tag, r.ulid FROM record_tags t JOIN records r ON r.id = t.record_id ORDER BY 1, 2",
    ),
  };
  db.close();
  return dump;
}

export function idsOf(dump: StoreDump): string[] {
  return dump.records.map(({ ulid }) => ulid as string);
}

/** Overwrites whole pages of a database, the first being 1. */
export function spoilPages(file: string, pages: readonly number[], fill = 0x5a): void {
  const fd = openSync(file, "r+");
  for (const page of pages) writeSync(fd, Buffer.alloc(4096, fill), 0, 4096, (page - 1) * 4096);
  closeSync(fd);
}

/** Numbers of the pages that belong to a table or index. */
export function pagesOf(file: string, name: string): number[] {
  const bytes = readFileSync(file);
  const db = openRaw(file);
  const root = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").get(name) as {
    rootpage: number;
  };
  db.close();
  const found: number[] = [];
  const visit = (page: number) => {
    found.push(page);
    const at = (page - 1) * 4096;
    const kind = bytes[at] as number;
    if (kind !== 5 && kind !== 2) return;
    const cells = bytes.readUInt16BE(at + 3);
    for (let cell = 0; cell < cells; cell++) {
      visit(bytes.readUInt32BE(at + bytes.readUInt16BE(at + 12 + 2 * cell)));
    }
    visit(bytes.readUInt32BE(at + 8));
  };
  visit(root.rootpage);
  return found;
}
