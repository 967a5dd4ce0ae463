/**
 * A rebuild among the operations: the old store can not be read, and the new one, in memory, is
 * made from archive, segments and queue through the seams.
 *
 * Guarantees: the new rows take the old ones' place only when the code under test says so; a swap
 * that lacks a record is therefore seen as a loss. Says nothing of the files of a real store.
 */
import { rebuildStore } from "../../src/memory/rebuild/rebuild.ts";
import type { OldStore, StoreRebuild } from "../../src/store/rebuild-store.ts";
import { type CrashWorld, DurableRows, type Seams } from "./crash-world.ts";

const UNREADABLE: OldStore = {
  state: "unreadable",
  totals: undefined,
  rows: () => [],
  aliases: () => [],
  tombstones: () => [],
  ids: () => [],
  idsKnown: () => "none",
  damaged: () => true,
};

export async function rebuild(world: CrashWorld, seams: Seams): Promise<void> {
  const { layout, truth } = world;
  const { fsSync: fs, clock, events } = seams;
  try {
    await rebuildStore({
      fs,
      layout,
      clock,
      events,
      openRebuild: async () => newRows(world),
      requireLease: () => {},
      capturedIds: async function* () {
        yield [...truth.acknowledged.keys()];
      },
      excusedIds: async () => new Set<string>(),
    });
  } catch (error) {
    truth.workFailed(error);
  }
}

function newRows({ store }: CrashWorld): StoreRebuild {
  const made = new DurableRows();
  return {
    old: UNREADABLE,
    newName: "in memory",
    add: (items) => {
      const { inserted, duplicates, conflicts } = made.commit(items);
      const refused: string[] = [];
      const counts = { inserted: inserted.length, duplicates: duplicates.length, forgotten: 0 };
      return { ...counts, conflicts, refused };
    },
    addAliases: (aliases) => aliases,
    addTombstones: () => {},
    lacking: (ulids) => ulids.filter((ulid) => made.textOf(ulid) === undefined),
    counts: () => ({ records: made.rows.size, aliases: made.aliases.size }),
    swap: () => {
      store.rows.clear();
      store.aliases.clear();
      store.kept.length = 0;
      store.repeat(made.kept);
      return "kept in memory";
    },
    discard: () => {},
    close: () => {},
  };
}
