/**
 * Removes from the database's files what they keep of deleted rows, in steps; commits go on in between.
 *
 *   merge ──▶ rewrite ──▶ checkpoint ──▶ done
 *     ▲ └─ the index still has deleted entries
 *
 * - merge: the index keeps the lists of a deleted row until its segments are merged
 *   (https://sqlite.org/fts5.html, "The 'merge' Command": a negative number first, then positive
 *   ones). Done when its structure names no segment with deletions.
 * - rewrite: VACUUM. Free pages keep what lay there before, and so do pages in use: SQLite moves rows
 *   between pages to balance its trees, and the unused stretch of a page that it builds anew keeps
 *   what was moved away, whatever `secure_delete` says (btree.c, rebuildPage).
 * - checkpoint: the log is copied into the database and cut to nothing; readers may be in the way.
 *
 * Guarantees: when a step says `done`, neither database nor log holds bytes of rows that were deleted
 * before the first step. Stopped or killed anywhere, it begins anew and ends in the same state. Cost:
 * the whole index is written once, and the whole database once, in one transaction.
 */
import type { Connection } from "./connection.ts";
import { SCRUB_DUE } from "./forget.ts";

/** Index pages a merge step writes: some 40 ms. */
const MERGE_PAGES = 200;
/** Merges from the beginning; more would mean that somebody deletes all the time. */
const MERGE_ROUNDS_MAX = 4;

export type ScrubState =
  | { readonly phase: "merge"; readonly round: number; readonly begun: boolean }
  | { readonly phase: "rewrite" | "checkpoint" | "done" | "blocked" };

export const SCRUB_START: ScrubState = { phase: "merge", round: 0, begun: false };

/** @throws driver errors as they are */
export function scrubStep(connection: Connection, state: ScrubState): ScrubState {
  switch (state.phase) {
    case "merge":
      return merge(connection, state);
    case "rewrite":
      return rewrite(connection);
    case "checkpoint":
      return checkpoint(connection);
    default:
      return state;
  }
}

/** Whether anything was deleted since the last scrub that came to its end. */
export function isScrubDue(connection: Connection): boolean {
  return connection.statement("SELECT 1 FROM meta WHERE name = ?").get(SCRUB_DUE) !== undefined;
}

function merge(
  connection: Connection,
  { round, begun }: Extract<ScrubState, { phase: "merge" }>,
): ScrubState {
  if (!begun) {
    connection.db.exec("PRAGMA secure_delete = ON");
    if (round === MERGE_ROUNDS_MAX || deletedSegmentCount(connection) === 0) {
      return { phase: "rewrite" };
    }
  }
  const before = totalChanges(connection);
  connection.write(() => {
    connection
      .statement("INSERT INTO records_fts (records_fts, rank) VALUES ('merge', ?)")
      .run(begun ? MERGE_PAGES : -MERGE_PAGES);
  });
  // The documented sign that there was nothing to do.
  const isOver = begun && totalChanges(connection) - before < 2;
  return isOver
    ? { phase: "merge", round: round + 1, begun: false }
    : { phase: "merge", round, begun: true };
}

function rewrite(connection: Connection): ScrubState {
  const { db } = connection;
  // Beyond the cache it would hold the whole database in memory; the file has no name (SQLite).
  db.exec("PRAGMA secure_delete = ON; PRAGMA temp_store = FILE");
  try {
    db.exec("VACUUM");
  } finally {
    db.exec("PRAGMA temp_store = MEMORY");
  }
  return { phase: "checkpoint" };
}

function checkpoint(connection: Connection): ScrubState {
  if (!connection.emptyLog()) return { phase: "blocked" };
  connection.db.exec("PRAGMA secure_delete = FAST");
  connection.write(() => connection.statement("DELETE FROM meta WHERE name = ?").run(SCRUB_DUE));
  return { phase: "done" };
}

function totalChanges(connection: Connection): number {
  return Number(connection.statement("SELECT total_changes() AS n").get()?.n);
}

/**
 * Segments of the index that have deleted entries, by the index's own record of its structure
 * (fts5_index.c, "Structure Record": cookie, marker of the second version, then numbers of variable
 * length; per segment id, first and last page, two origins, pages of deletions, deletions, entries).
 */
export function deletedSegmentCount(connection: Connection): number {
  const row = connection.statement("SELECT block FROM records_fts_data WHERE id = 10").get();
  const block = row?.block;
  if (!(block instanceof Uint8Array)) throw new TypeError("the index has no structure");
  return deletedSegmentsIn(block);
}

const COOKIE_BYTES = 4;
const SECOND_VERSION = Buffer.from([0xff, 0, 0, 1]);

/** @throws TypeError for a structure of another form */
export function deletedSegmentsIn(block: Uint8Array): number {
  const marker = block.subarray(COOKIE_BYTES, COOKIE_BYTES + SECOND_VERSION.length);
  if (!SECOND_VERSION.equals(marker)) throw new TypeError("the index is of another version");
  let at = COOKIE_BYTES + SECOND_VERSION.length;
  const next = (): number => {
    let value = 0;
    for (let bytes = 1; ; bytes++) {
      const byte = block[at++];
      if (byte === undefined) throw new TypeError("the index's structure is cut");
      if (bytes === 9) return value * 256 + byte;
      value = value * 128 + (byte & 0x7f);
      if (byte < 0x80) return value;
    }
  };
  const levels = next();
  next(); // segments in all
  next(); // writes so far
  let deleted = 0;
  for (let level = 0; level < levels; level++) {
    next(); // segments that are being merged
    for (let segments = next(); segments > 0; segments--) {
      for (const _ of ["id", "first page", "last page", "origin", "origin"]) next();
      if (next() > 0) deleted++;
      for (const _ of ["deletions", "entries"]) next();
    }
  }
  return deleted;
}
