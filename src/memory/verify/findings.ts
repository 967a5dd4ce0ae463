/**
 * What verify finds, by kind: how often, a few examples, and what to do.
 *
 * Guarantees: examples are ids and file names, never a record's text, and at most EXAMPLES_MAX of a
 * kind; kinds come in the order of the table below. A problem is something missing or damaged; a
 * note is worth knowing and no fault.
 */

export const EXAMPLES_MAX = 10;

interface Meaning {
  readonly isProblem: boolean;
  /** Completes "<count> …". */
  readonly what: string;
  readonly advice: string;
}

/** Every kind; a kind never changes its meaning. */
export const FINDINGS = {
  missing: {
    isProblem: true,
    what: "acknowledged and nowhere to be found",
    advice:
      "They were removed outside memspool. Look for them in a backup of the data directory: " +
      "memspool restore",
  },
  archived_not_stored: {
    isProblem: true,
    what: "archived as ingested, but not in the store",
    advice: "The store lost them and the archive has them. Run: memspool rebuild",
  },
  pending_damaged: {
    isProblem: true,
    what: "pending envelopes that are damaged",
    advice:
      "The ingester will set them aside. Restore the files from a backup if the records matter.",
  },
  spilled_damaged: {
    isProblem: true,
    what: "spilled records that are damaged",
    advice:
      "The ingester will set them aside and take in the others. Restore the segment from a backup.",
  },
  segment_damaged: {
    isProblem: true,
    what: "overflow segments that hold fewer whole records than their names say",
    advice: "Restore the files from a backup; whole records in them will be ingested all the same.",
  },
  quarantined_changed: {
    isProblem: true,
    what: "quarantined envelopes that were whole when they were set aside, and are damaged now",
    advice: "Restore the files from a backup.",
  },
  row_not_a_record: {
    isProblem: true,
    what: "rows of the store whose JSON is no record",
    advice: "The store's file was changed or damaged. Run: memspool rebuild",
  },
  row_text_changed: {
    isProblem: true,
    what: "rows of the store whose text does not have its hash",
    advice: "The store's file was changed or damaged. Run: memspool rebuild",
  },
  row_columns_differ: {
    isProblem: true,
    what: "rows of the store whose columns do not follow from their record",
    advice: "Filters will miss them or show them wrongly. Run: memspool rebuild",
  },
  row_not_found: {
    isProblem: true,
    what: "rows of the store that are not found by their id, time or project",
    advice: "An index of the store's file is damaged. Run: memspool rebuild",
  },
  row_not_indexed: {
    isProblem: true,
    what: "rows of the store that the index does not hold as they are",
    advice: "Search will not find them by all their words. Run: memspool rebuild",
  },
  row_alias_of_nothing: {
    isProblem: true,
    what: "duplicates of a record that is not in the store",
    advice: "The store's file was changed or damaged. Run: memspool rebuild",
  },
  terms_not_found: {
    isProblem: true,
    what: "sampled rows that the index does not find by their own words",
    advice: "Other rows may be affected, too. Run: memspool rebuild",
  },
  counts_differ: {
    isProblem: true,
    what: "counts of the store that do not agree: its totals, its rows, its index",
    advice: "The store's file was changed or damaged. Run: memspool rebuild",
  },
  stray_tags: {
    isProblem: true,
    what: "tags in the store that belong to no record",
    advice: "Rows were removed outside memspool. Run: memspool rebuild",
  },
  archive_damaged: {
    isProblem: true,
    what: "damaged stretches or envelopes in the done archive",
    advice:
      "Records that are in the store are safe; a rebuild could not read these. Make a backup now: " +
      "memspool backup",
  },
  forgotten_left: {
    isProblem: true,
    what: "forgotten records that still lie in queue, spill, quarantine, archive or store",
    advice:
      "A process that was stopped while it worked may have put them there, or a file came from a " +
      "backup. Forget them once more: memspool forget <ulid>",
  },
  audit_damaged: {
    isProblem: true,
    what: "lines of the overflow audit log that can not be read",
    advice: "What they said of spilled or dropped records is not counted. Keep the file and look.",
  },
  file_unreadable: {
    isProblem: true,
    what: "files or directories that can not be read",
    advice: "Check their owner, mode and disk: memspool doctor. Then verify again.",
  },
  ledger_torn: {
    isProblem: false,
    what: "torn lines in the ledger",
    advice:
      "A process or the machine died while writing them. Their records were not acknowledged.",
  },
  unledgered: {
    isProblem: false,
    what: "records that the ledger does not name",
    advice:
      "Captured just now, or before there was a ledger, or a crash took the line. They are safe.",
  },
  quarantined_damaged: {
    isProblem: false,
    what: "quarantined envelopes that are damaged, as their reasons say",
    advice: "See: memspool quarantine list",
  },
  being_forgotten: {
    isProblem: false,
    what: "records that are being forgotten",
    advice: "The server that ingests goes on with it; without one run: memspool drain",
  },
  newer_schema: {
    isProblem: false,
    what: "pending envelopes of a newer memspool",
    advice: "Upgrade memspool to ingest them.",
  },
  archive_torn: {
    isProblem: false,
    what: "archive files that end in an unfinished batch",
    advice:
      "The process that wrote it died. Its records stayed in the queue and are counted there.",
  },
  checkpoint_damaged: {
    isProblem: true,
    what: "checkpoints of the overflow audit log that are not whole",
    advice: "What deleted audit files said may not be counted. Keep the files and look.",
  },
} as const satisfies Record<string, Meaning>;

export type FindingKind = keyof typeof FINDINGS;

export interface FindingView {
  kind: FindingKind;
  count: number;
  /** Ids or file names, at most EXAMPLES_MAX. */
  examples: string[];
  advice: string;
}

export class Findings {
  readonly #found = new Map<FindingKind, { count: number; examples: string[] }>();

  /** @param example called only while there is room for one */
  add(kind: FindingKind, example: () => string, count = 1): void {
    const found = this.#found.get(kind) ?? { count: 0, examples: [] };
    this.#found.set(kind, found);
    found.count += count;
    if (found.examples.length < EXAMPLES_MAX) found.examples.push(example());
  }

  /** Takes some of a kind back that turned out to be explained. */
  take(kind: FindingKind, count: number): void {
    const found = this.#found.get(kind);
    if (found === undefined) return;
    found.count -= count;
    if (found.count <= 0) this.#found.delete(kind);
  }

  problems(): FindingView[] {
    return this.#views(true);
  }

  notes(): FindingView[] {
    return this.#views(false);
  }

  #views(isProblem: boolean): FindingView[] {
    const kinds = Object.keys(FINDINGS) as FindingKind[];
    return kinds.flatMap((kind) => {
      const found = this.#found.get(kind);
      if (found === undefined || FINDINGS[kind].isProblem !== isProblem) return [];
      return [{ kind, ...found, advice: FINDINGS[kind].advice }];
    });
  }
}
