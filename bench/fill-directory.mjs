// Fills a data directory as a long life would: records in the store, their envelopes in the done
// archive, their ids in the ledger. For measuring what reads all of it, such as `memspool verify`:
//
//   node bench/fill-directory.mjs <new directory> [records, default 100000] [chars a text, 600]
//   /usr/bin/time -v node dist/main.js verify --home <directory>
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { loadSource } from "./load-source.mjs";
import { sampleText } from "./sample-text.mjs";

const BATCH = 500;
const PROJECTS = 20;
const SESSION_RECORDS = 40;
const TEXTS = 5_000;
/** Records an hour: what one file of ledger and archive holds. */
const HOUR_RECORDS = 50_000;
const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 0, 1);

const [target, countText = "100000", charsText = "600"] = process.argv.slice(2);
if (target === undefined || existsSync(target)) {
  console.error("usage: node bench/fill-directory.mjs <new directory> [records] [chars a text]");
  process.exit(2);
}
const home = resolve(target);
const count = Number(countText);
const work = mkdtempSync(join(tmpdir(), "memspool-fill-"));
const { openStore, encodeEnvelope, textSha256, DoneArchive, queueLayout, nodeDurableFsSync } =
  await loadSource(work, {
    "src/store/open-store.ts": ["openStore"],
    "src/record/envelope.ts": ["encodeEnvelope"],
    "src/record/content-hash.ts": ["textSha256"],
    "src/queue/done-archive.ts": ["DoneArchive"],
    "src/queue/layout.ts": ["queueLayout"],
    "src/platform/durable-fs-sync.ts": ["nodeDurableFsSync"],
  });
const layout = queueLayout(join(home, "queue"));
mkdirSync(layout.doneDir, { recursive: true, mode: 0o700 });

const texts = Array.from({ length: TEXTS }, (_, n) => sampleText(n, Number(charsText)));
let nowMs = START_MS;
const clock = { nowMs: () => nowMs, monotonicMs: () => performance.now() };
const archive = new DoneArchive(nodeDurableFsSync, layout, clock);
const store = await openStore({ file: join(home, "store", "memspool.db"), clock });
const startedMs = performance.now();
for (let from = 0; from < count; from += BATCH) {
  nowMs = START_MS + Math.floor(from / HOUR_RECORDS) * HOUR_MS + (from % HOUR_RECORDS) * 72;
  const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, n) => item(from + n));
  await store.commitBatch(batch);
  archive.append(batch.map(({ bytes }) => bytes));
  const hour = new Date(nowMs).toISOString().replace(/^(\d+)-(\d+)-(\d+)T(\d+).*$/, "$1$2$3-$4");
  appendFileSync(
    join(layout.dir, `.ledger-${hour}`),
    batch.map(({ ulid }) => `${ulid}\n`).join(""),
  );
  if (from % 50_000 === 0) console.error(`${from} records, ${Math.round(seconds())} s`);
}
archive.close();
await store.close();
rmSync(work, { recursive: true, force: true });
console.error(`${count} records in ${home}, ${Math.round(seconds())} s`);

function item(n) {
  const record = {
    surface: `${texts[n % TEXTS]} ${n}`,
    role: n % 2 === 0 ? "user" : "assistant",
    project: `project-${n % PROJECTS}`,
    session_id: `session-${Math.floor(n / SESSION_RECORDS)}`,
    ...(n % 10 === 0 ? { tags: ["decision"] } : {}),
  };
  const ulid = `${timePart(nowMs)}${String(n).padStart(16, "0")}`;
  const appendedAt = new Date(nowMs).toISOString();
  const recordJson = JSON.stringify(record);
  const sha256 = textSha256(record.surface);
  const bytes = encodeEnvelope(ulid, appendedAt, recordJson, sha256);
  return { ulid, appendedAt, sha256, record, recordJson, bytes };
}

function timePart(timeMs) {
  const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  let left = timeMs;
  let text = "";
  for (let n = 0; n < 10; n++) {
    text = digits[left % 32] + text;
    left = Math.floor(left / 32);
  }
  return text;
}

function seconds() {
  return (performance.now() - startedMs) / 1_000;
}
