/**
 * A reader for a store that may not have been made yet: until it is, there is nothing in it.
 *
 * Guarantees: a question never makes a store. Only the ingester does, because it must notice when
 * one that held records is gone; and a mistyped data directory stays untouched by looking into it.
 */
import type { AuditCounts, StoreReader, StoreStats } from "./memory-store.ts";

const NO_STORE: StoreStats = Object.freeze({
  kind: "sqlite",
  records: 0,
  aliases: 0,
  bytes: 0,
  schemaVersion: 0,
  engineVersion: "none",
});

const NO_ROWS: AuditCounts = Object.freeze({
  records: 0,
  aliases: 0,
  indexed: 0,
  strayTags: 0,
  totalRecords: 0,
  totalAliases: 0,
});

/** @param exists looked at before each question */
export function emptyUntilMade(exists: () => boolean, reader: StoreReader): StoreReader {
  return {
    get: async (ulid) => (exists() ? reader.get(ulid) : undefined),
    lookup: async (ulids) => (exists() ? reader.lookup(ulids) : new Map()),
    sameRecords: async (ulids) => (exists() ? reader.sameRecords(ulids) : []),
    matching: async (query) => (exists() ? reader.matching(query) : []),
    candidates: async (query) =>
      exists()
        ? reader.candidates(query)
        : {
            candidates: [],
            newest: "",
            recordCount: 0,
            termCountMean: 0,
            documentFrequency: Object.fromEntries(query.terms.map((term) => [term, 0])),
          },
    neighbours: async (query) => (exists() ? reader.neighbours(query) : { records: [], links: [] }),
    spellings: async (words) => (exists() ? reader.spellings(words) : new Map()),
    timeline: async (query) => (exists() ? reader.timeline(query) : []),
    facets: async (kind, filter, limit) => (exists() ? reader.facets(kind, filter, limit) : []),
    stats: async () => (exists() ? reader.stats() : NO_STORE),
    check: async () => (exists() ? reader.check() : []),
    auditRows: async (query) => (exists() ? reader.auditRows(query) : { entries: [] }),
    auditCounts: async () => (exists() ? reader.auditCounts() : NO_ROWS),
    auditIndex: async (query) => (exists() ? reader.auditIndex(query) : { sampled: 0, faults: [] }),
    close: () => reader.close(),
  };
}
