/** Which records correct which. Pure, and apart from summary.ts, which loads the languages of texts. */
import type { MemoryRecord } from "../record/memory-record.ts";

/** Newest superseding id of each record that any of these supersede. */
export function supersessions(
  records: Iterable<{ readonly ulid: string; readonly record: MemoryRecord }>,
): ReadonlyMap<string, string> {
  const by = new Map<string, string>();
  for (const { ulid, record } of records) {
    for (const old of record.supersedes ?? []) {
      if (ulid > (by.get(old) ?? "")) by.set(old, ulid);
    }
  }
  return by;
}

/** The newer of two ids, either of which may be absent. */
export function newerId(one: string | undefined, other: string | undefined): string | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one;
}
