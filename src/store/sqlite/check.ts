/**
 * The store's own health, cheap enough for every call of `memspool doctor`.
 *
 * Guarantees: reads only; the integrity of the file and of the counts is looked at up to a size that
 * takes about a second, and the detail says so beyond it. Details hold no driver text, which can
 * quote what is stored.
 */
import { TEXT_PIPELINE_VERSION } from "../../text/terms.ts";
import type { StoreCheck } from "../memory-store.ts";
import { type Connection, SYNCHRONOUS_FULL } from "./connection.ts";
import { indexState } from "./renew-index.ts";
import { pragma } from "./schema.ts";

const INTEGRITY_BYTES_MAX = 268_435_456;
const PROBLEM_COUNT_MAX = 100;

export function checkConnection(
  connection: Connection,
  integrityBytesMax = INTEGRITY_BYTES_MAX,
): StoreCheck[] {
  return connection.read(() => [
    ...checkSettings(connection),
    checkPipeline(connection),
    ...checkIntegrity(connection, integrityBytesMax),
  ]);
}

function checkSettings({ db }: Connection): StoreCheck[] {
  const mode = String(db.prepare("PRAGMA journal_mode").get()?.journal_mode);
  const synchronous = pragma(db, "synchronous");
  return [
    { name: "journal_mode", ok: mode === "wal", detail: mode },
    {
      name: "synchronous",
      ok: synchronous === SYNCHRONOUS_FULL,
      detail: synchronous === SYNCHRONOUS_FULL ? "full" : `${synchronous}, must be 2 (full)`,
    },
  ];
}

function checkPipeline(connection: Connection): StoreCheck {
  const { version, renewal, isOthers } = indexState(connection);
  const name = "index_terms";
  if (version === TEXT_PIPELINE_VERSION && !isOthers) {
    return { name, ok: true, detail: `version ${version}` };
  }
  if (isOthers) {
    const detail = `version ${version}, this memspool searches by ${TEXT_PIPELINE_VERSION}`;
    return { name, ok: false, detail };
  }
  if (renewal === undefined) {
    return { name, ok: true, detail: `version ${version}, renewed when a server ingests` };
  }
  const share = Math.floor((100 * renewal.after) / Math.max(1, renewal.until));
  return { name, ok: true, detail: `being renewed, ${Math.min(99, share)} %` };
}

function checkIntegrity(connection: Connection, bytesMax: number): StoreCheck[] {
  const { db } = connection;
  const bytes = pragma(db, "page_count") * pragma(db, "page_size");
  if (bytes > bytesMax) {
    const mib = Math.round(bytes / 1_048_576);
    return [{ name: "integrity", ok: true, detail: `not looked at: ${mib} MiB take too long` }];
  }
  const findings = db.prepare(`PRAGMA quick_check(${PROBLEM_COUNT_MAX})`).all();
  const sound = findings.length === 1 && findings[0]?.quick_check === "ok";
  const counts = db
    .prepare(
      `SELECT (SELECT records FROM totals) AS total, (SELECT count(*) FROM records) AS rows,
         (SELECT count(*) FROM records_fts_docsize) AS indexed`,
    )
    .get();
  const [total, rows, indexed] = [counts?.total, counts?.rows, counts?.indexed];
  const agree = total === rows && rows === indexed;
  return [
    { name: "integrity", ok: sound, detail: sound ? "ok" : `${findings.length} problems found` },
    {
      name: "counts",
      ok: agree,
      detail: agree
        ? `${rows} ${rows === 1 ? "record" : "records"}`
        : `${rows} records, ${indexed} indexed, ${total} counted`,
    },
  ];
}
