/**
 * `memspool rebuild`: a new store beside the old one, from everything that is still there.
 *
 * Guarantees: the first source that has an id brings it, in the order old rows, archive, spill,
 * queue; another text under the same id is told and not taken; what was forgotten stays forgotten. The new store takes the old one's
 * place only if it lacks none of its ids, as far as those are known, or if it is told to. Nothing
 * is taken from queue, spill or archive. Memory does not grow with the number of records (but with the
 * number of ids that are missing). A failure or an interruption leaves the old store in place.
 * Does not guarantee a record's place among the turns of its session if its row was unreadable: it
 * comes behind those that were read.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { MemspoolError } from "../../errors.ts";
import type { Events } from "../../events/catalogue.ts";
import type { Clock } from "../../platform/clock.ts";
import type { RebuildItem, StoredAlias, StoreRebuild } from "../../store/rebuild-store.ts";
import { readingDisk } from "../reading-disk.ts";
import {
  archivedEnvelopes,
  pendingEnvelopes,
  type SourceParts,
  type SourceTally,
  spilledEnvelopes,
} from "./envelope-sources.ts";
import { findMissing, type Missing } from "./missing-ids.ts";
import { IdTally, type RebuildResult, type RebuildSource } from "./rebuild-result.ts";
import { tombstonesBesideStore } from "./tombstones-beside-store.ts";

export interface RebuildOptions {
  /** Build and report, and keep nothing. */
  readonly dryRun?: boolean | undefined;
  /** Swap although ids are missing. */
  readonly acceptMissing?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

export interface RebuildParts extends SourceParts {
  readonly clock: Clock;
  readonly events: Events;
  /** Opens the old store and makes a new one. */
  readonly openRebuild: () => Promise<StoreRebuild>;
  /** @throws if the ingester's lease was lost */
  readonly requireLease: () => void;
  /** Ids that were ever captured, in any order, some more than once; see queue/ledger.ts. */
  readonly capturedIds: () => AsyncIterable<readonly string[]>;
  /** Those of the ids that are known to be elsewhere: quarantined, or dropped on purpose. */
  readonly excusedIds: (ulids: readonly string[]) => Promise<ReadonlySet<string>>;
}

const BATCH_COUNT_MAX = 500;
/** Of the records' JSON, in UTF-16 code units. */
const BATCH_CHARS_MAX = 8_388_608;

/**
 * @throws MemspoolError REBUILD_INCOMPLETE, STORE_UNAVAILABLE, STORE_TOO_NEW, DATA_DIR_UNUSABLE;
 *   what requireLease throws; the signal's reason
 */
export async function rebuildStore(
  parts: RebuildParts,
  options: RebuildOptions = {},
): Promise<RebuildResult> {
  return readingDisk(async () => {
    const rebuild = await parts.openRebuild();
    let keep = false;
    try {
      return await new Run(parts, options, rebuild).run();
    } catch (error) {
      keep = error instanceof MemspoolError && error.code === "REBUILD_INCOMPLETE";
      throw error;
    } finally {
      try {
        rebuild.discard({ keep });
      } finally {
        rebuild.close();
      }
    }
  });
}

class Run {
  readonly #parts: RebuildParts;
  readonly #options: RebuildOptions;
  readonly #rebuild: StoreRebuild;
  readonly #startedMs: number;
  readonly #conflicts = new IdTally();
  readonly #tally: SourceTally = {
    archiveFiles: 0,
    skippedStretches: 0,
    skippedBytes: 0,
    unreadEnvelopes: 0,
  };
  /** Ids of rows that were not what had been stored. */
  readonly #unproved: string[] = [];
  #unprovedRows = 0;
  #forgotten = 0;
  #done = 0;

  constructor(parts: RebuildParts, options: RebuildOptions, rebuild: StoreRebuild) {
    this.#parts = parts;
    this.#options = options;
    this.#rebuild = rebuild;
    this.#startedMs = parts.clock.monotonicMs();
  }

  async run(): Promise<RebuildResult> {
    const rebuild = this.#rebuild;
    await this.#fillTombstones();
    const sources = {
      old_store: await this.#fill(this.#oldRows()),
      archive: noRecords(),
      spilled: noRecords(),
      pending: noRecords(),
    };
    // Before the archive, which holds their envelopes too: they stay what they were.
    const homeless = await this.#fillAliases();
    sources.archive = await this.#fill(archivedEnvelopes(this.#parts, this.#tally));
    sources.spilled = await this.#fill(spilledEnvelopes(this.#parts, this.#tally));
    sources.pending = await this.#fill(pendingEnvelopes(this.#parts, this.#tally));
    for (const aliases of homeless) rebuild.addAliases(aliases);
    const missing = await findMissing(this.#parts, rebuild, this.#unproved, () => this.#pause());
    const result: RebuildResult = {
      swapped: false,
      ...rebuild.counts(),
      sources,
      ...this.#findings(missing),
      kept: null,
      ms: 0,
    };
    return this.#end(result);
  }

  #end(result: RebuildResult): RebuildResult {
    const { dryRun = false, acceptMissing = false } = this.#options;
    const missing =
      result.missing.count + result.missing_unnamed + (result.unaccounted?.count ?? 0);
    const swapped = !dryRun && (missing === 0 || acceptMissing);
    if (swapped) {
      this.#checkStop();
      result.kept = this.#rebuild.swap() ?? null;
    }
    result.swapped = swapped;
    result.ms = Math.round(this.#parts.clock.monotonicMs() - this.#startedMs);
    const { records, ms } = result;
    this.#parts.events.emit("store_rebuilt", { records, missing, swapped, ms });
    if (!swapped && !dryRun) throw incomplete(result, this.#rebuild.newName);
    return result;
  }

  /**
   * Before everything else, which they keep out. Those of the old store, which know turns under other
   * ids, too; and those beside it, should it not be readable.
   */
  async #fillTombstones(): Promise<void> {
    for (const tombstones of this.#rebuild.old.tombstones()) {
      this.#rebuild.addTombstones(tombstones);
      await this.#pause();
    }
    for (const tombstones of tombstonesBesideStore(this.#parts)) {
      this.#rebuild.addTombstones(tombstones);
      await this.#pause();
    }
  }

  *#oldRows(): Generator<readonly RebuildItem[]> {
    for (const { rows, unproved } of this.#rebuild.old.rows()) {
      this.#unprovedRows += unproved.length;
      this.#unproved.push(...unproved.filter((ulid) => ulid !== undefined));
      yield rows;
    }
  }

  /** @returns aliases whose record the old rows did not bring */
  async #fillAliases(): Promise<(readonly StoredAlias[])[]> {
    const homeless: (readonly StoredAlias[])[] = [];
    for (const aliases of this.#rebuild.old.aliases()) {
      const left = this.#rebuild.addAliases(aliases);
      if (left.length > 0) homeless.push(left);
      await this.#pause();
    }
    return homeless;
  }

  async #fill(lists: Iterable<readonly RebuildItem[]>): Promise<RebuildSource> {
    const source = noRecords();
    let batch: RebuildItem[] = [];
    let chars = 0;
    const commit = async () => {
      const { inserted, duplicates, conflicts, forgotten } = this.#rebuild.add(batch);
      this.#forgotten += forgotten;
      source.records += inserted;
      source.duplicates += duplicates;
      this.#conflicts.add(conflicts.map(({ ulid }) => ulid));
      this.#done += batch.length;
      batch = [];
      chars = 0;
      await this.#pause();
    };
    for (const list of lists) {
      if (list.length === 0) await this.#pause();
      for (const item of list) {
        if (batch.length > 0 && chars + item.recordJson.length > BATCH_CHARS_MAX) await commit();
        batch.push(item);
        chars += item.recordJson.length;
        if (batch.length === BATCH_COUNT_MAX) await commit();
      }
    }
    if (batch.length > 0) await commit();
    return source;
  }

  /** Lets the lease be refreshed and an interruption be heard. */
  async #pause(): Promise<void> {
    const total = Math.max(this.#done, this.#rebuild.old.totals?.records ?? 0);
    if (total > 0) this.#options.onProgress?.({ done: this.#done, total });
    await nextTurn();
    this.#checkStop();
  }

  #checkStop(): void {
    this.#options.signal?.throwIfAborted();
    this.#parts.requireLease();
  }

  #findings({ named, unnamed, unaccounted }: Missing) {
    const { old } = this.#rebuild;
    const { archiveFiles, skippedStretches, skippedBytes, unreadEnvelopes } = this.#tally;
    const damaged = old.damaged() || this.#unprovedRows > 0;
    const state = old.state === "open" ? (damaged ? "damaged" : "whole") : old.state;
    return {
      old_store: {
        state,
        records: old.totals?.records ?? null,
        aliases: old.totals?.aliases ?? null,
        ids_known: old.idsKnown(),
        unproved_rows: this.#unprovedRows,
      },
      archive: {
        files: archiveFiles,
        skipped_stretches: skippedStretches,
        skipped_bytes: skippedBytes,
      },
      unread_envelopes: unreadEnvelopes,
      forgotten: this.#forgotten,
      conflicts: this.#conflicts.named(),
      missing: named,
      missing_unnamed: unnamed,
      unaccounted,
    } as const;
  }
}

function noRecords(): RebuildSource {
  return { records: 0, duplicates: 0 };
}

function incomplete(result: RebuildResult, newName: string): MemspoolError {
  const { missing, missing_unnamed: unnamed, unaccounted, records, conflicts } = result;
  const lacking = missing.count + unnamed;
  const what =
    lacking > 0
      ? `lacks ${lacking} records of the old one`
      : `lacks ${unaccounted?.count ?? 0} records that were once captured`;
  return new MemspoolError(
    "REBUILD_INCOMPLETE",
    `The rebuilt store ${what}, so the old one was left in place. Look for a backup or missing ` +
      "archive files, or run `memspool rebuild --accept-missing`. The new store was kept beside it " +
      `as ${newName} until the next rebuild.`,
    {
      details: {
        records,
        missing: missing.count,
        missing_unnamed: unnamed,
        missing_ulids: missing.ulids,
        unaccounted: unaccounted?.count ?? 0,
        unaccounted_ulids: unaccounted?.ulids ?? [],
        conflicts: conflicts.count,
        new_file: newName,
      },
    },
  );
}
