/**
 * A store without the records that are being forgotten.
 *
 * Guarantees: from the moment an order to forget is durable, none of its records is in an answer, in
 * whichever process; a name that only they have is not listed. A receipt's lookup is not changed.
 */
import type { RecordFilter, StoreReader } from "../store/memory-store.ts";

interface HiddenIds {
  hidden(): Promise<ReadonlySet<string>>;
}

export function hidingReader(reader: StoreReader, forgets: HiddenIds): StoreReader {
  const without = async (filter: RecordFilter): Promise<RecordFilter> => {
    const hidden = await forgets.hidden();
    return hidden.size === 0 ? filter : { ...filter, excluded: [...hidden] };
  };
  return {
    get: async (ulid) => {
      const hidden = await forgets.hidden();
      const found = hidden.has(ulid) ? undefined : await reader.get(ulid);
      return found && hidden.has(found.ulid) ? undefined : found;
    },
    lookup: (ulids) => reader.lookup(ulids),
    sameRecords: (ulids) => reader.sameRecords(ulids),
    matching: async (query) => reader.matching({ ...query, filter: await without(query.filter) }),
    candidates: async (query) =>
      reader.candidates({ ...query, filter: await without(query.filter) }),
    neighbours: async (query) => {
      const hidden = await forgets.hidden();
      const { records, links } = await reader.neighbours(query);
      return {
        records: records.filter(({ ulid }) => !hidden.has(ulid)),
        links: links.filter(({ of, ulid }) => !hidden.has(of) && !hidden.has(ulid)),
      };
    },
    spellings: (words) => reader.spellings(words),
    timeline: async (query) => reader.timeline({ ...query, filter: await without(query.filter) }),
    facets: async (kind, filter, limit) => reader.facets(kind, await without(filter), limit),
    stats: () => reader.stats(),
    check: () => reader.check(),
    auditRows: (query) => reader.auditRows(query),
    auditCounts: () => reader.auditCounts(),
    auditIndex: (query) => reader.auditIndex(query),
    close: () => reader.close(),
  };
}
