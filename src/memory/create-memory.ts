/** Puts the operations together into what tools and command line call. */
import { AuditPages } from "./audit-page.ts";
import { Captures } from "./capture.ts";
import type { ChangeSignal } from "./change-signal.ts";
import { flushQueue } from "./flush.ts";
import { forgetRecords } from "./forget.ts";
import { getRecord } from "./get.ts";
import { hidingReader } from "./hiding-reader.ts";
import { lastEvents } from "./last-events.ts";
import type { Memory } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { pendingPage, quarantinePage } from "./queue-pages.ts";
import { readingDisk } from "./reading-disk.ts";
import { receiptOf } from "./receipt.ts";
import { retryQuarantined } from "./retry.ts";
import type { Search } from "./search.ts";
import { statusReport } from "./status.ts";

/**
 * @param given.onCaptured is called after every acknowledged capture
 * @param changes tells the memory's listeners that something may have changed
 */
export function createMemory(given: MemoryParts, changes: ChangeSignal): Memory {
  const parts = { ...given, store: hidingReader(given.store, given.forgets) };
  const captures = new Captures(parts);
  let searching: Promise<Search> | undefined;
  // Languages and ranking are loaded by the first question: a start must not wait for them.
  const searcher = () => {
    searching ??= import("./search.ts").then(({ Search }) => new Search(parts));
    return searching;
  };
  const audit = new AuditPages(parts);
  return {
    capture: (input) => captures.capture(input),
    captureBatch: (inputs) => captures.captureBatch(inputs),
    search: (input) => readingDisk(async () => (await searcher()).search(input)),
    get: (input) => readingDisk(() => getRecord(parts, input)),
    recent: (input) =>
      readingDisk(async () => (await import("./recent.ts")).recentRecords(parts, input)),
    receipt: (ulid) => readingDisk(() => receiptOf(parts, ulid)),
    status: () => readingDisk(() => statusReport(parts, captures.counts)),
    health: () => parts.health(),
    events: async (page) => lastEvents(parts, page),
    pending: (page) => readingDisk(() => pendingPage(parts, page)),
    quarantined: (page) => readingDisk(() => quarantinePage(parts, page)),
    audited: (page) => readingDisk(() => audit.page(page)),
    retry: (input) => readingDisk(() => retryQuarantined(parts, input)),
    forget: (input) => readingDisk(() => forgetRecords(parts, input)),
    flush: (input) => readingDisk(() => flushQueue(parts, input)),
    onChange: (listener) => changes.subscribe(listener),
  };
}
