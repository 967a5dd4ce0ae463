/**
 * Reads what can be read of a store, damaged or not, for `memspool rebuild`.
 *
 * Guarantees: reads only; a row is given out only if its text has the row's hash, its JSON is a
 * record and the columns follow from it (a change of the cue, the tags or the metadata alone is not
 * noticed); rows come in the order in which they arrived; damage costs the rows on the damaged pages
 * and those whose place in the tree is named there, and no other. Which ids there are is read
 * from the indexes, which lie on other pages than the rows.
 * Work is bounded: a failing stretch of 64 numbers costs at most 127 tries, and a tree of which
 * nothing can be read is given up at its last known number.
 */
import { textSha256 } from "../../record/content-hash.ts";
import { isRecord } from "../../record/memory-record.ts";
import type { StoredTombstone } from "../forgetting.ts";
import type { IdsKnown, OldRows, OldStore, RebuildItem, StoredAlias } from "../rebuild-store.ts";
import type { Database, SqlRow, SqlValue, Statement } from "./driver.ts";
import { resultCode } from "./driver.ts";
import { storeError } from "./errors.ts";
import { derivedColumns } from "./prepared-item.ts";
import { TRAILS, type Trail, walkTrail } from "./salvage-ids.ts";

/** Rows read at once: few, because one may have 6 MiB of JSON. */
const ROWS_AT_ONCE = 64;
/** Stretches without a readable row, one after another, before the rest is given up. */
const EMPTY_STRETCHES_MAX = 1_000;
const STRETCHES_MAX = 200_000;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
/** SQLite's: the question was right, and may be answered later. */
const PASSING_CODES = new Set([5, 6, 7]);

const COLUMNS = `id, ulid, sha256, appended_at, ingested_at, at_ms, project, session_id, role, tier,
  source, idempotency_key, record`;

export class Salvage implements OldStore {
  readonly state = "open";
  readonly totals: OldStore["totals"];
  readonly #db: Database;
  readonly #statements = new Map<string, Statement>();
  #damaged = false;
  #recordIds = 0;
  #aliasIds = 0;
  #trailsEnded = false;

  /** @param db opened to read; the caller closes it */
  constructor(db: Database) {
    this.#db = db;
    const totals = this.ask("SELECT records, aliases FROM totals WHERE id = 1")?.[0];
    const { records, aliases } = totals ?? {};
    if (typeof records === "number" && typeof aliases === "number") {
      this.totals = { records, aliases };
    }
  }

  damaged(): boolean {
    return this.#damaged;
  }

  *rows(): Generator<OldRows> {
    const lastKnown = this.#lastNumber();
    let empty = 0;
    let last = 0;
    for (let stretches = 0; stretches < STRETCHES_MAX; ) {
      const page = this.ask(
        `SELECT ${COLUMNS} FROM records WHERE id > ? ORDER BY id LIMIT ${ROWS_AT_ONCE}`,
        last,
      );
      if (page !== undefined) {
        if (page.length === 0) return;
        yield provedRows(page);
        const next = Number(page.at(-1)?.id);
        if (!(next > last)) return; // a damaged tree may lead in circles
        last = next;
        empty = 0;
        continue;
      }
      const found = yield* this.#stretch(last, last + ROWS_AT_ONCE);
      empty = found ? 0 : empty + 1;
      stretches++;
      last += ROWS_AT_ONCE;
      if (last >= (lastKnown ?? 0) && (lastKnown !== undefined || empty > EMPTY_STRETCHES_MAX))
        return;
    }
  }

  *aliases(): Generator<StoredAlias[]> {
    for (const direction of ["ASC", "DESC"] as const) {
      const trail = { ...(TRAILS.aliases as Trail), columns: ["of", "sha256", "appended_at"] };
      const whole = yield* walkTrail(this, trail, direction, (rows) => rows.flatMap(aliasOf));
      if (whole) return;
    }
  }

  /** Those before a damaged page and those behind it; none of a store from before they were kept. */
  *tombstones(): Generator<StoredTombstone[]> {
    if (this.ask("SELECT 1 FROM sqlite_schema WHERE name = 'tombstones'")?.length !== 1) return;
    for (const direction of ["ASC", "DESC"] as const) {
      const whole = yield* walkTrail(this, TRAILS.tombstones, direction, (rows) =>
        rows.flatMap(tombstoneOf),
      );
      if (whole) return;
    }
  }

  *ids(): Generator<string[]> {
    const note = (rows: readonly SqlRow[]) => rows.flatMap(({ ulid }) => ulidOf(ulid) ?? []);
    const records = yield* this.#idsOf("records", note, (count) => {
      this.#recordIds += count;
    });
    const aliases = yield* this.#idsOf("aliases", note, (count) => {
      this.#aliasIds += count;
    });
    this.#trailsEnded = records && aliases;
    if (records) return;
    for (const trail of [TRAILS.times, TRAILS.projects]) {
      const whole = yield* walkTrail(this, trail, "ASC", note);
      if (!whole) yield* walkTrail(this, trail, "DESC", note);
    }
  }

  idsKnown(): IdsKnown {
    const { totals } = this;
    const agree = totals?.records === this.#recordIds && totals.aliases === this.#aliasIds;
    if (this.#trailsEnded && agree) return "all";
    return this.#recordIds + this.#aliasIds > 0 || totals !== undefined ? "some" : "none";
  }

  /**
   * The rows of an answer; undefined if damage is in the way.
   * @throws MemspoolError STORE_UNAVAILABLE for a lock or want of memory
   */
  ask(sql: string, ...values: SqlValue[]): SqlRow[] | undefined {
    try {
      let statement = this.#statements.get(sql);
      if (statement === undefined) {
        statement = this.#db.prepare(sql);
        this.#statements.set(sql, statement);
      }
      return statement.all(...values);
    } catch (error) {
      if (!isDamage(error)) throw storeError(error);
      this.#damaged = true;
      return undefined;
    }
  }

  /** Rows of (after, to]: halves what can not be read until it is single rows. */
  *#stretch(after: number, to: number): Generator<OldRows, boolean> {
    const rows = this.ask(
      `SELECT ${COLUMNS} FROM records WHERE id > ? AND id <= ? ORDER BY id`,
      after,
      to,
    );
    if (rows !== undefined) {
      yield provedRows(rows);
      return rows.length > 0;
    }
    if (to - after === 1) return false;
    const middle = after + Math.floor((to - after) / 2);
    const low = yield* this.#stretch(after, middle);
    const high = yield* this.#stretch(middle, to);
    return low || high;
  }

  /** The greatest row number that anything names; undefined if nothing does. */
  #lastNumber(): number | undefined {
    const numbers = [
      "SELECT max(id) AS n FROM records",
      "SELECT max(id) AS n FROM records_fts_docsize",
      "SELECT max(rowid) AS n FROM records INDEXED BY records_at",
    ].map((sql) => Number(this.ask(sql)?.[0]?.n ?? Number.NaN));
    const known = [...numbers, this.totals?.records ?? Number.NaN].filter(Number.isSafeInteger);
    return known.length === 0 ? undefined : Math.max(...known);
  }

  *#idsOf(
    table: "records" | "aliases",
    note: (rows: readonly SqlRow[]) => string[],
    count: (ids: number) => void,
  ): Generator<string[], boolean> {
    const counted = (rows: readonly SqlRow[]) => {
      const ids = note(rows);
      count(ids.length);
      return ids;
    };
    if (yield* walkTrail(this, TRAILS[table], "ASC", counted)) return true;
    yield* walkTrail(this, TRAILS[table], "DESC", counted);
    return false;
  }
}

function isDamage(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  if (error.code === "ERR_OUT_OF_RANGE") return true; // a number that was never ours
  return error.code === "ERR_SQLITE_ERROR" && !PASSING_CODES.has(resultCode(error) ?? 0);
}

function provedRows(page: readonly SqlRow[]): OldRows {
  const rows: RebuildItem[] = [];
  const unproved: (string | undefined)[] = [];
  for (const row of page) {
    const item = provedRow(row);
    if (item === undefined) unproved.push(ulidOf(row.ulid));
    else rows.push(item);
  }
  return { rows, unproved };
}

function provedRow(row: SqlRow): RebuildItem | undefined {
  const { sha256, appended_at: appendedAt, ingested_at: ingestedAt, record: recordJson } = row;
  const ulid = ulidOf(row.ulid);
  const texts = [sha256, appendedAt, ingestedAt, recordJson];
  if (ulid === undefined || !texts.every((text) => typeof text === "string")) return undefined;
  const record = parse(recordJson as string);
  if (!isRecord(record) || textSha256(record.surface) !== sha256) return undefined;
  const columns = derivedColumns(record, appendedAt as string);
  const agree =
    row.at_ms === columns.atMs &&
    row.project === columns.project &&
    row.session_id === columns.sessionId &&
    row.role === columns.role &&
    row.tier === columns.tier &&
    row.source === columns.source &&
    row.idempotency_key === columns.idempotencyKey &&
    !Number.isNaN(Date.parse(ingestedAt as string));
  if (!agree) return undefined;
  return {
    ulid,
    sha256,
    appendedAt: appendedAt as string,
    ingestedAt: ingestedAt as string,
    record,
    recordJson: recordJson as string,
  };
}

function aliasOf(row: SqlRow): StoredAlias[] {
  const [ulid, of] = [ulidOf(row.ulid), ulidOf(row.of)];
  const { sha256, appended_at: appendedAt } = row;
  if (ulid === undefined || of === undefined) return [];
  if (typeof sha256 !== "string" || typeof appendedAt !== "string") return [];
  return [{ ulid, of, sha256, appendedAt }];
}

function tombstoneOf(row: SqlRow): StoredTombstone[] {
  const [ulid, request] = [ulidOf(row.ulid), ulidOf(row.request)];
  const { forgotten_at: forgottenAt, reason, replay_hash: hash } = row;
  if (ulid === undefined || request === undefined) return [];
  if (typeof forgottenAt !== "string" || typeof reason !== "string") return [];
  const replayHash = typeof hash === "string" ? hash : undefined;
  return [{ ulid, request, forgottenAt, reason, replayHash }];
}

function ulidOf(value: unknown): string | undefined {
  return typeof value === "string" && ULID.test(value) ? value : undefined;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // not JSON: no record
  }
}
