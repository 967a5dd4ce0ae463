/**
 * Makes the index of a store that an earlier text pipeline filled anew, in steps of one bounded
 * transaction each, so that commits, orders to forget and questions go on in between.
 *
 * `meta` keeps what a step has to know: the version that filled the index, and while it is renewed
 * `reindex_to` (the version that it is renewed for), `reindex_until` (the last row that was there when
 * it began) and `reindex_after` (the last row that is done).
 *
 * Guarantees: a row's terms, its term count, the total and the place reached change together, so that
 * a kill anywhere goes on behind the last whole step, and two processes at once share the work. Rows
 * that come meanwhile have higher numbers and are not touched; one that is given a number again, which
 * forgetting has freed, may be done once more, to no effect. The version changes with the last rows. An index of a newer pipeline, or one that a
 * newer memspool is renewing, is left alone. A row that is no record is left as it is, for verify.
 */
import { isRecord, type MemoryRecord } from "../../record/memory-record.ts";
import { indexedText } from "../../text/indexed-text.ts";
import { indexTermsAndWords, TEXT_PIPELINE_VERSION } from "../../text/terms.ts";
import type { RenewalStep } from "../index-renewal.ts";
import type { Connection } from "./connection.ts";
import { WordWriter } from "./word-writer.ts";

/** Of one step: some 55 ms of the processor for texts of 1 KB (measured: 0.27 ms a row). */
const STEP_ROWS_MAX = 200;
/** Of the records' JSON in one step; the first row is always taken. */
const STEP_CHARS_MAX = 524_288;

/** Which rows hold terms of another pipeline than ours. */
export interface IndexState {
  /** Of the pipeline that filled the index, or most of it. */
  readonly version: number;
  /** The place that a renewal for this program's version has reached; undefined if none has begun. */
  readonly renewal: { readonly after: number; readonly until: number } | undefined;
  /** Whether a newer memspool is at work on it. */
  readonly isOthers: boolean;
}

export function indexState(connection: Connection): IndexState {
  const version = numberIn(connection, "text_pipeline_version");
  const to = numberIn(connection, "reindex_to");
  const after = numberIn(connection, "reindex_after");
  const until = numberIn(connection, "reindex_until");
  return {
    version,
    renewal: to === TEXT_PIPELINE_VERSION ? { after, until } : undefined,
    isOthers: version > TEXT_PIPELINE_VERSION || to > TEXT_PIPELINE_VERSION,
  };
}

/** Whether a row's terms may be those of another pipeline. */
export function mayHoldOtherTerms({ version, renewal, isOthers }: IndexState, id: number): boolean {
  if (isOthers) return true;
  if (version === TEXT_PIPELINE_VERSION) return false;
  return renewal === undefined || (id > renewal.after && id <= renewal.until);
}

/** One step, if there is anything to do. @throws driver errors as they are */
export function renewIndex(
  connection: Connection,
  { rowsMax = STEP_ROWS_MAX }: { readonly rowsMax?: number } = {},
): RenewalStep {
  if (!isDue(connection.read(() => indexState(connection)))) return NOTHING_DUE;
  return connection.write(() => renewNext(connection, rowsMax));
}

const NOTHING_DUE: RenewalStep = { state: "none", from: 0, to: 0, left: 0 };

function isDue({ version, isOthers }: IndexState): boolean {
  return version < TEXT_PIPELINE_VERSION && !isOthers;
}

function renewNext(connection: Connection, rowsMax: number): RenewalStep {
  // Read again: another process may have done it while we waited for the lock.
  const state = indexState(connection);
  if (!isDue(state)) return NOTHING_DUE;
  const { after, until } = state.renewal ?? { after: 0, until: lastRow(connection) };
  const reached = renewRows(connection, after, until, rowsMax);
  const step = { from: state.version, to: TEXT_PIPELINE_VERSION };
  if (reached === undefined) {
    connection.statement("DELETE FROM meta WHERE name LIKE 'reindex!_%' ESCAPE '!'").run();
    setMeta(connection, "text_pipeline_version", TEXT_PIPELINE_VERSION);
    return { ...step, state: "done", left: 0 };
  }
  setMeta(connection, "reindex_to", TEXT_PIPELINE_VERSION);
  setMeta(connection, "reindex_until", until);
  setMeta(connection, "reindex_after", reached);
  return { ...step, state: "under_way", left: until - reached };
}

interface OldRow {
  readonly id: number;
  /** Its terms so far. */
  readonly before: number;
  readonly json: string;
}

/** @returns the last row that is done, or undefined when there are no others */
function renewRows(
  connection: Connection,
  after: number,
  until: number,
  rowsMax: number,
): number | undefined {
  const rows = connection
    .statement(
      "SELECT id, term_count, record FROM records WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
    )
    .iterate(after, until, rowsMax);
  const chosen: OldRow[] = [];
  let chars = 0;
  let isCut = false;
  for (const row of rows) {
    const json = row.record as string;
    chosen.push({ id: row.id as number, before: row.term_count as number, json });
    chars += json.length;
    isCut = chars >= STEP_CHARS_MAX;
    if (isCut) break;
  }
  const made = chosen.flatMap(renewed);
  const remove = connection.statement("DELETE FROM records_fts WHERE rowid = ?");
  for (const { id } of made) remove.run(id);
  const insert = connection.statement("INSERT INTO records_fts (rowid, terms) VALUES (?, ?)");
  const count = connection.statement("UPDATE records SET term_count = ? WHERE id = ?");
  const words = new WordWriter(connection);
  let grown = 0;
  for (const row of made) {
    insert.run(row.id, row.terms.join(" "));
    count.run(row.terms.length, row.id);
    words.add(row.words);
    grown += row.terms.length - row.before;
  }
  words.write();
  connection.statement("UPDATE totals SET terms = terms + ? WHERE id = 1").run(grown);
  return isCut || chosen.length === rowsMax ? chosen.at(-1)?.id : undefined;
}

/** Nothing for what is no record. */
function renewed({ id, before, json }: OldRow) {
  const record = recordOf(json);
  return record === undefined ? [] : [{ id, before, ...indexTermsAndWords(indexedText(record)) }];
}

function recordOf(json: string): MemoryRecord | undefined {
  try {
    const record: unknown = JSON.parse(json);
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined; // not JSON: verify says so
  }
}

function lastRow(connection: Connection): number {
  return Number(connection.statement("SELECT max(id) AS id FROM records").get()?.id ?? 0);
}

/** 0 for what is not there. */
function numberIn(connection: Connection, name: string): number {
  return Number(
    connection.statement("SELECT value FROM meta WHERE name = ?").get(name)?.value ?? 0,
  );
}

function setMeta(connection: Connection, name: string, value: number): void {
  connection.statement("INSERT OR REPLACE INTO meta VALUES (?, ?)").run(name, String(value));
}
