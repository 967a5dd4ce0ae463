/**
 * The store: each of its rows, then its index. The work is done in the store's own thread; a page is
 * asked for while the one before it is tallied.
 */
import type { AuditCounts, AuditRowsPage } from "../../store/memory-store.ts";
import type { Pass } from "./pass.ts";
import { ALIASED, FORGOTTEN, STORED } from "./places.ts";

const FLAGS = { record: STORED, alias: ALIASED, tombstone: FORGOTTEN } as const;

const PAGE_ROWS = 1_000;
/** A row has some 70 words that are looked up at 0.2 ms each: about three seconds in all. */
const SAMPLE_ROWS = 200;
/** In one question, which has to be answered within the store client's time limit. */
const SAMPLE_PART_ROWS = 10;

/** @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW */
export async function lookAtRows(pass: Pass): Promise<void> {
  const { store } = pass.parts;
  const { records, aliases } = await store.stats();
  const total = records + aliases;
  const ask = (after?: string): Promise<AuditRowsPage> => {
    const query = { limit: PAGE_ROWS, hashes: pass.hashes };
    const page = store.auditRows(after === undefined ? query : { ...query, after });
    page.catch(() => {}); // it is awaited below, unless this pass fails before
    return page;
  };
  let done = 0;
  let asked: Promise<AuditRowsPage> | undefined = ask();
  while (asked !== undefined) {
    const page: AuditRowsPage = await asked;
    asked = page.next === undefined ? undefined : ask(page.next);
    for (const { ulid, kind, fault } of page.entries) {
      pass.mark(ulid, FLAGS[kind]);
      if (fault !== undefined) pass.findings.add(`row_${fault}`, () => ulid);
    }
    done += page.entries.length;
    pass.count("rows", page.entries.length);
    await pass.pace.worked("store", Math.min(done, total), total);
  }
  pass.pace.finished("store");
}

/** Counts against counts, and a sample of rows word by word. */
export async function lookAtIndex(pass: Pass): Promise<void> {
  const { store } = pass.parts;
  const counts = await store.auditCounts();
  const { records, aliases, indexed, totalRecords, totalAliases, strayTags } = counts;
  if (records !== indexed || records !== totalRecords || aliases !== totalAliases) {
    pass.findings.add("counts_differ", () => describeCounts(counts));
  }
  if (strayTags > 0) pass.findings.add("stray_tags", () => "record_tags", strayTags);
  if (!pass.hashes) return;
  const of = Math.min(SAMPLE_ROWS, records);
  for (let first = 0; first < of; first += SAMPLE_PART_ROWS) {
    const part = { of, first, count: SAMPLE_PART_ROWS };
    const { sampled, faults } = await store.auditIndex(part);
    pass.count("index_rows", sampled);
    for (const { ulid } of faults) pass.findings.add("terms_not_found", () => ulid);
    await pass.pace.worked("index", Math.min(first + SAMPLE_PART_ROWS, of), of);
  }
  pass.pace.finished("index");
}

function describeCounts(counts: AuditCounts): string {
  const { records, indexed, totalRecords, aliases, totalAliases } = counts;
  return (
    `${records} records, ${indexed} indexed, ${totalRecords} counted; ` +
    `${aliases} aliases, ${totalAliases} counted`
  );
}
