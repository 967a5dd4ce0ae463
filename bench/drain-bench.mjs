// How fast the queue drains into the store: the real ingester with its real store, beside a bare
// drain of the same files. The bare drain is one thread that reads, parses, inserts in batches with
// a full-text index over the raw text, and unlinks: no checksum, no archive, no terms of its own, no
// look for duplicates, no filters.
import { mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { loadSource } from "./load-source.mjs";
import { sampleText } from "./sample-text.mjs";
import { interleave, ratioOfRounds, summarise } from "./statistics.mjs";

const BATCH_RECORDS = 500;

/** Envelopes of records as a talk makes them: sessions of twenty turns. */
function makeEnvelopes(source, count) {
  return Array.from({ length: count }, (_, index) => {
    const record = {
      surface: sampleText(index),
      session_id: `session-${Math.floor(index / 20)}`,
      role: index % 2 === 0 ? "user" : "assistant",
      project: "bench",
    };
    const ulid = source.generateUlid();
    const sha256 = source.textSha256(record.surface);
    const appendedAt = new Date().toISOString();
    const json = JSON.stringify(record);
    return { ulid, bytes: source.encodeEnvelope(ulid, appendedAt, json, sha256) };
  });
}

function fill(queueDir, envelopes) {
  mkdirSync(queueDir, { recursive: true, mode: 0o700 });
  for (const { ulid, bytes } of envelopes) {
    writeFileSync(join(queueDir, `pending-${ulid}.json`), bytes, { mode: 0o600 });
  }
}

/** Returns the rows that ended in the database. */
function bareDrain(queueDir, file) {
  const db = new DatabaseSync(file);
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE records (id INTEGER PRIMARY KEY, ulid TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
    CREATE VIRTUAL TABLE records_fts USING fts5 (text, content = '', contentless_delete = 1);
  `);
  const insert = db.prepare("INSERT INTO records (ulid, record) VALUES (?, ?)");
  const index = db.prepare("INSERT INTO records_fts (rowid, text) VALUES (?, ?)");
  const names = readdirSync(queueDir)
    .filter((name) => name.startsWith("pending-"))
    .sort();
  for (let next = 0; next < names.length; next += BATCH_RECORDS) {
    const batch = names.slice(next, next + BATCH_RECORDS);
    db.exec("BEGIN IMMEDIATE");
    for (const name of batch) {
      const { ulid, record } = JSON.parse(readFileSync(join(queueDir, name), "utf8"));
      const { lastInsertRowid } = insert.run(ulid, JSON.stringify(record));
      index.run(lastInsertRowid, record.surface);
    }
    db.exec("COMMIT");
    for (const name of batch) unlinkSync(join(queueDir, name));
  }
  const { rows } = db.prepare("SELECT count(*) AS rows FROM records").get();
  db.close();
  return rows;
}

/** Returns the records that the ingester counted. */
async function ourDrain(source, queueDir, file) {
  const events = { emit: () => {} };
  const ingester = new source.Ingester({
    fs: source.nodeDurableFsSync,
    layout: source.queueLayout(queueDir),
    clock: source.systemClock,
    events,
    attemptsMax: 3,
    batchRecordsMax: BATCH_RECORDS,
    pollMs: 1_000,
    random: Math.random,
    openStore: async () => source.openStore({ file, events }),
    onReport: () => {},
  });
  const { ingested } = await ingester.drain({ dueOrNot: true });
  await ingester.stop();
  return ingested;
}

export async function benchDrain({ dir, rounds, records }) {
  const source = await loadSource(dir, {
    "src/ingest/ingester.ts": ["Ingester"],
    "src/platform/clock.ts": ["systemClock"],
    "src/platform/durable-fs-sync.ts": ["nodeDurableFsSync"],
    "src/queue/directories.ts": ["ensureQueueDirectories"],
    "src/queue/layout.ts": ["queueLayout"],
    "src/record/content-hash.ts": ["textSha256"],
    "src/record/envelope.ts": ["encodeEnvelope"],
    "src/record/record-id.ts": ["generateUlid"],
    "src/store/open-store.ts": ["openStore"],
  });
  const envelopes = makeEnvelopes(source, records);
  /** A contender: fresh directories each round, only the drain itself is timed. */
  const contender = (name, drain) => async (round) => {
    const home = join(dir, `drain-${name}-${round}`);
    const queueDir = join(home, "queue");
    mkdirSync(join(home, "store"), { recursive: true, mode: 0o700 });
    source.ensureQueueDirectories(source.nodeDurableFsSync, source.queueLayout(queueDir));
    fill(queueDir, envelopes);
    const startedMs = performance.now();
    const drained = await drain(queueDir, join(home, "store", "memspool.db"));
    const ms = performance.now() - startedMs;
    if (drained !== records) throw new Error(`${name} drained ${drained} of ${records}`);
    rmSync(home, { recursive: true });
    return [(records * 1_000) / ms];
  };
  const contenders = {
    memspool: contender("memspool", (queueDir, file) => ourDrain(source, queueDir, file)),
    bare: contender("bare", bareDrain),
  };
  const series = await interleave(contenders, rounds);
  return {
    records,
    perSecond: Object.fromEntries(
      Object.entries(series).map(([name, samples]) => [name, summarise(samples.flat())]),
    ),
    toBare: ratioOfRounds(series.memspool, series.bare),
  };
}
