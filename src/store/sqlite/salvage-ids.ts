/**
 * Walks along an index of a store that may be damaged, from either end.
 *
 * Guarantees: reads the index's own pages and no row; goes on in smaller steps where a page of it can
 * not be read, up to the very entry; says whether it came to the other end.
 */
import type { SqlRow, SqlValue } from "./driver.ts";

/** An index by what it is ordered by; `ulid` is the last of it. */
export interface Trail {
  readonly from: string;
  readonly key: readonly string[];
  /** Read beside the key. */
  readonly columns?: readonly string[];
}

export const TRAILS = {
  records: { from: "records INDEXED BY sqlite_autoindex_records_1", key: ["ulid"] },
  times: { from: "records INDEXED BY records_at", key: ["at_ms", "ulid"] },
  projects: { from: "records INDEXED BY records_project_at", key: ["project", "at_ms", "ulid"] },
  aliases: { from: "aliases", key: ["ulid"] },
  tombstones: {
    from: "tombstones",
    key: ["ulid"],
    columns: ["request", "forgotten_at", "reason", "replay_hash"],
  },
} as const satisfies Record<string, Trail>;

/** Where questions go; undefined is damage. */
interface Asked {
  ask(sql: string, ...values: SqlValue[]): readonly SqlRow[] | undefined;
}

const ENTRIES_AT_ONCE = 500;
/** A damaged index may lead in circles. */
const STEPS_MAX = 40_000;
/** By how much a step shrinks in front of damage. */
const SHRINK = 8;

/** @returns whether the index was read to its end */
export function* walkTrail<T>(
  asked: Asked,
  trail: Trail,
  direction: "ASC" | "DESC",
  take: (rows: readonly SqlRow[]) => T,
): Generator<T, boolean> {
  const beyond = direction === "ASC" ? ">" : "<";
  const key = trail.key.join(", ");
  const select = `SELECT ${[...trail.key, ...(trail.columns ?? [])].join(", ")} FROM ${trail.from}`;
  const order = `ORDER BY ${trail.key.map((column) => `${column} ${direction}`).join(", ")} LIMIT ?`;
  const where = `WHERE (${key}) ${beyond} (${trail.key.map(() => "?").join(", ")})`;
  let after: SqlValue[] | undefined;
  let limit = ENTRIES_AT_ONCE;
  for (let steps = 0; limit >= 1 && steps < STEPS_MAX; steps++) {
    const rows =
      after === undefined
        ? asked.ask(`${select} ${order}`, limit)
        : asked.ask(`${select} ${where} ${order}`, ...after, limit);
    if (rows === undefined) {
      limit = limit === 1 ? 0 : Math.ceil(limit / SHRINK);
      continue;
    }
    const last = rows.at(-1);
    if (last === undefined) return true;
    yield take(rows);
    after = trail.key.map((column) => last[column] as SqlValue);
  }
  return false;
}
