/**
 * A batch on its way into the tables, inside a write transaction of the caller's.
 *
 * Guarantees: the rules of memory-store.ts on duplicates, aliases and conflicts, between items of
 * the batch too, in their order. Rows, index and totals change together. Does not look at envelopes'
 * checksums: what comes here was verified.
 */
import type { CommitResult, ConflictCode } from "../memory-store.ts";
import type { StoredAlias } from "../rebuild-store.ts";
import type { Connection } from "./connection.ts";
import type { SqlValue } from "./driver.ts";
import { type KnownTombstone, tombstoneOfReplay, tombstonesOf, writeTombstone } from "./forget.ts";
import type { PreparedItem } from "./prepared-item.ts";
import { WordWriter } from "./word-writer.ts";

interface Known {
  readonly sha256: string;
  /** The id itself, or the record that it is an alias of. */
  readonly of: string;
}

/** An item that may have been in another store before. */
export interface ArrivingItem extends PreparedItem {
  /** ISO 8601; the time of the commit unless given. */
  readonly ingestedAt?: string | undefined;
}

/** @throws driver errors as they are */
export function commitItems(
  connection: Connection,
  items: readonly ArrivingItem[],
  ingestedAt: string,
): CommitResult {
  const batch = new BatchWriter(connection, ingestedAt);
  batch.learn(items.map(({ ulid }) => ulid));
  for (const item of items) batch.add(item);
  return batch.finish();
}

/**
 * Aliases of another store, made again. An alias whose id is there already is nothing new.
 * @returns those whose record is not there, or has another hash
 * @throws driver errors as they are
 */
export function commitAliases(
  connection: Connection,
  aliases: readonly StoredAlias[],
): StoredAlias[] {
  const batch = new BatchWriter(connection, "");
  batch.learn(aliases.flatMap(({ ulid, of }) => [ulid, of]));
  const homeless = aliases.filter((alias) => !batch.addAlias(alias));
  batch.finish();
  return homeless;
}

class BatchWriter {
  readonly #connection: Connection;
  readonly #ingestedAt: string;
  readonly #known = new Map<string, Known>();
  readonly #turns = new Map<string, number>();
  readonly #inserted: string[] = [];
  readonly #duplicates: { ulid: string; of: string }[] = [];
  readonly #conflicts: { ulid: string; code: ConflictCode; existing: string }[] = [];
  readonly #words: WordWriter;
  readonly #forgotten: string[] = [];
  #tombstones: ReadonlyMap<string, KnownTombstone> = new Map();
  #terms = 0;
  #aliases = 0;

  constructor(connection: Connection, ingestedAt: string) {
    this.#connection = connection;
    this.#ingestedAt = ingestedAt;
    this.#words = new WordWriter(connection);
  }

  /** Which of the ids are known already: three questions a batch instead of three an item. */
  learn(ulids: readonly string[]): void {
    const list = JSON.stringify(ulids);
    this.#tombstones = tombstonesOf(this.#connection, list);
    for (const table of ["records", "aliases"]) {
      const of = table === "records" ? "t.ulid" : "t.of";
      const rows = this.#connection
        .statement(
          `SELECT t.ulid, t.sha256, ${of} AS of FROM json_each(?) j JOIN ${table} t ON t.ulid = j.value`,
        )
        .all(list);
      for (const row of rows) {
        this.#known.set(row.ulid as string, {
          sha256: row.sha256 as string,
          of: row.of as string,
        });
      }
    }
  }

  add(item: ArrivingItem): void {
    const { ulid, sha256 } = item;
    if (this.#wasForgotten(item)) {
      this.#forgotten.push(ulid);
      return;
    }
    const there = this.#known.get(ulid);
    if (there !== undefined) {
      if (there.sha256 === sha256) this.#duplicates.push({ ulid, of: there.of });
      else this.#conflicts.push({ ulid, code: "ULID_CONFLICT", existing: there.of });
      return;
    }
    const holder = this.#holderOfKey(item);
    if (holder === undefined) this.#insert(item);
    else if (holder.sha256 === sha256) this.#insertAlias(item, holder.of);
    else this.#conflicts.push({ ulid, code: "IDEMPOTENCY_CONFLICT", existing: holder.of });
  }

  /** @returns whether the id is known afterwards */
  addAlias(alias: StoredAlias): boolean {
    if (this.#known.has(alias.ulid) || this.#tombstones.has(alias.ulid)) return true;
    const holder = this.#known.get(alias.of);
    if (holder?.sha256 !== alias.sha256) return false;
    this.#insertAlias(alias, holder.of);
    return true;
  }

  finish(): CommitResult {
    this.#words.write();
    if (this.#inserted.length > 0 || this.#aliases > 0) {
      this.#run(
        "UPDATE totals SET records = records + ?, terms = terms + ?, aliases = aliases + ? WHERE id = 1",
        this.#inserted.length,
        this.#terms,
        this.#aliases,
      );
    }
    return {
      inserted: this.#inserted,
      duplicates: this.#duplicates,
      conflicts: this.#conflicts,
      forgotten: this.#forgotten,
    };
  }

  /** By its id, or as a repetition under a new one, which then is forgotten, too. */
  #wasForgotten({ ulid, replayHash }: PreparedItem): boolean {
    if (this.#tombstones.has(ulid)) return true;
    if (replayHash === null || this.#known.has(ulid)) return false;
    const tombstone = tombstoneOfReplay(this.#connection, replayHash);
    if (tombstone === undefined) return false;
    writeTombstone(this.#connection, { ...tombstone, ulid, replayHash });
    return true;
  }

  #holderOfKey({ project, idempotencyKey }: PreparedItem): Known | undefined {
    if (idempotencyKey === null) return undefined;
    const row = this.#connection
      .statement("SELECT ulid, sha256 FROM records WHERE project = ? AND idempotency_key = ?")
      .get(project, idempotencyKey);
    return row && { sha256: row.sha256 as string, of: row.ulid as string };
  }

  #insert(item: ArrivingItem): void {
    const { ulid, sha256, project, sessionId } = item;
    const { lastInsertRowid: id } = this.#run(
      `INSERT INTO records (ulid, sha256, appended_at, ingested_at, at_ms, term_count, turn, project,
         session_id, role, tier, source, idempotency_key, record)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ulid,
      sha256,
      item.appendedAt,
      item.ingestedAt ?? this.#ingestedAt,
      item.atMs,
      item.termCount,
      sessionId === null ? 0 : this.#nextTurn(project, sessionId),
      project,
      sessionId,
      item.role,
      item.tier,
      item.source,
      item.idempotencyKey,
      item.recordJson,
    );
    this.#run("INSERT INTO records_fts (rowid, terms) VALUES (?, ?)", id, item.indexed);
    this.#words.add(item.words);
    for (const tag of item.tags) {
      this.#run("INSERT INTO record_tags (tag, record_id) VALUES (?, ?)", tag, id);
    }
    for (const target of item.supersedes) this.#supersede(target, ulid);
    this.#terms += item.termCount;
    this.#inserted.push(ulid);
    this.#known.set(ulid, { sha256, of: ulid });
  }

  #insertAlias({ ulid, sha256, appendedAt }: Omit<StoredAlias, "of">, of: string): void {
    this.#run(
      "INSERT INTO aliases (ulid, of, sha256, appended_at) VALUES (?, ?, ?, ?)",
      ulid,
      of,
      sha256,
      appendedAt,
    );
    // Whoever corrected the id that the caller was given meant the record it stands for.
    this.#run(
      `INSERT OR IGNORE INTO supersessions (target, by_ulid)
       SELECT ?, by_ulid FROM supersessions WHERE target = ? AND by_ulid <> ?`,
      of,
      ulid,
      of,
    );
    this.#aliases++;
    this.#duplicates.push({ ulid, of });
    this.#known.set(ulid, { sha256, of });
  }

  #supersede(target: string, by: string): void {
    const alias = this.#connection.statement("SELECT of FROM aliases WHERE ulid = ?").get(target);
    const superseded = (alias?.of as string | undefined) ?? target;
    if (superseded === by) return;
    this.#run(
      "INSERT OR IGNORE INTO supersessions (target, by_ulid) VALUES (?, ?)",
      superseded,
      by,
    );
  }

  /** Counted on from the session's last record, read once a batch. */
  #nextTurn(project: string, session: string): number {
    const key = JSON.stringify([project, session]);
    let last = this.#turns.get(key);
    if (last === undefined) {
      const row = this.#connection
        .statement("SELECT max(turn) AS turn FROM records WHERE session_id = ? AND project = ?")
        .get(session, project);
      last = (row?.turn as number | null) ?? 0;
    }
    this.#turns.set(key, last + 1);
    return last + 1;
  }

  #run(sql: string, ...values: SqlValue[]) {
    return this.#connection.statement(sql).run(...values);
  }
}
