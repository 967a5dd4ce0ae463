/** What a store holds, and how it compares with what was acknowledged. */
import { join } from "node:path";
import type { StoredRecord, TimelineQuery } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Acknowledgement } from "./capturing-server.ts";

export interface Row {
  readonly ulid: string;
  readonly surface: string;
}

const PAGE = 500;

/** Every row of the store in a data directory, read without a server. */
export async function storedRows(home: string): Promise<Row[]> {
  const store = await openStore({ file: join(home, "store", "memspool.db"), readOnly: true });
  try {
    const rows: Row[] = [];
    let last: StoredRecord | undefined;
    do {
      const query: TimelineQuery = { filter: {}, limit: PAGE, order: "oldest" };
      const after = last && {
        after: { atMs: Date.parse(last.appendedAt), ulid: last.ulid },
      };
      const page = await store.timeline({ ...query, ...after });
      rows.push(...page.map(({ ulid, record }) => ({ ulid, surface: record.surface })));
      last = page.length === PAGE ? page.at(-1) : undefined;
    } while (last);
    return rows;
  } finally {
    await store.close();
  }
}

export interface Damage {
  /** Acknowledged, and not in the store. */
  readonly lost: string[];
  /** In the store under its id with another text. */
  readonly altered: string[];
  /** An id, or a text, that the store holds more than once. Texts must differ. */
  readonly twice: string[];
}

export const NO_DAMAGE: Damage = { lost: [], altered: [], twice: [] };

export function damage(acknowledged: readonly Acknowledgement[], rows: readonly Row[]): Damage {
  const texts = new Map(rows.map(({ ulid, surface }) => [ulid, surface]));
  const lost = acknowledged.filter(({ ulid }) => !texts.has(ulid));
  const altered = acknowledged.filter(
    ({ ulid, surface }) => texts.has(ulid) && texts.get(ulid) !== surface,
  );
  return {
    lost: lost.map(({ ulid }) => ulid),
    altered: altered.map(({ ulid }) => ulid),
    twice: [...repeated(rows.map(({ ulid }) => ulid)), ...repeated(rows.map((row) => row.surface))],
  };
}

/** Counts over several looks. */
export function countDamage(found: readonly Damage[]) {
  const count = (kind: keyof Damage) => found.reduce((sum, each) => sum + each[kind].length, 0);
  return { lost: count("lost"), altered: count("altered"), twice: count("twice") };
}

function repeated(values: readonly string[]): string[] {
  const seen = new Set<string>();
  return values.filter((value) => seen.size === seen.add(value).size);
}
