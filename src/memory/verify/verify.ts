/**
 * Recounts everything that a data directory has ever acknowledged, from what lies on disk and in the
 * store, and says which record is where.
 *
 *   ledger → pending → spilled → store → index
 *                             ↘ archive → quarantine → audit log
 *   → second look at what seems missing → ledger again → sum
 *
 * Guarantees
 * - The ledger is read first and records are followed in the direction in which they move, so a
 *   record that is acknowledged, spilled or ingested meanwhile is never called missing; what seems to
 *   be is looked for at every place a second time. It may run beside any number of servers.
 * - Every distinct id counts exactly once, and the parts of the sum add up to it.
 * - Memory is bounded whatever the size: ids beyond what one table holds are left to further passes,
 *   which go over names and ids alone.
 * - Changes nothing on disk.
 * Does not guarantee: to notice a record that vanished together with its ledger line; what a row's
 * hash does not cover (everything but the text) if no column is derived from it; to tell which of the
 * ids that are nowhere were dropped once the audit files that said so are gone.
 */
import { ForgetView } from "../../queue/forget-view.ts";
import { Findings } from "./findings.ts";
import { IdTable, type Part, TABLE_LIMITS, WHOLE } from "./id-table.ts";
import { lookAtArchive, lookAtArchiveAgain } from "./look-at-archive.ts";
import { type AuditLook, judgeAuditLog, lookAtAuditLog } from "./look-at-audit-log.ts";
import { lookAtLedger, lookAtLedgerAgain } from "./look-at-ledger.ts";
import { lookAtQuarantine } from "./look-at-quarantine.ts";
import { lookAtPending, lookAtSegments } from "./look-at-queue.ts";
import { lookAtIndex, lookAtRows } from "./look-at-store.ts";
import { Pace } from "./pace.ts";
import { Pass } from "./pass.ts";
import { NO_PLACES, type PlaceCounts, tally } from "./places.ts";
import type { VerifyOptions, VerifyParts, VerifyReport } from "./report.ts";
import { lookAgain } from "./second-look.ts";

/**
 * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; system errors of directories; what the
 *   signal was aborted with
 */
export async function verify(
  parts: VerifyParts,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const startedMs = parts.clock.monotonicMs();
  const run = new VerifyRun(parts, options);
  await run.passes();
  return { ...run.report(), ms: Math.round(parts.clock.monotonicMs() - startedMs) };
}

class VerifyRun {
  readonly #parts: VerifyParts;
  readonly #options: VerifyOptions;
  readonly #findings = new Findings();
  readonly #counts: PlaceCounts = { ...NO_PLACES };
  readonly #checked: VerifyReport["checked"] = {
    envelopes: 0,
    rows: 0,
    archive_records: 0,
    index_rows: 0,
    ledger_lines: 0,
    audit_lines: 0,
    torn_ledger_lines: 0,
  };
  #captured = 0;
  /** Ids of orders to forget that were under way when this began. */
  #purging: ReadonlySet<string> = new Set();
  #unledgered = 0;
  /** Found nowhere at all. */
  #nowhere = 0;
  /** What deleted audit files said of dropped records. */
  #droppedUnnamed = 0;

  constructor(parts: VerifyParts, options: VerifyOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** One pass unless there are more ids than fit into a table. */
  async passes(): Promise<void> {
    this.#purging = await beingForgotten(this.#parts);
    const parts: Part[] = [WHOLE];
    const limits = this.#parts.tableLimits ?? TABLE_LIMITS;
    let isFirst = true;
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const table = new IdTable(part, limits, (other) => parts.push(other));
      await this.#pass(table, isFirst);
      isFirst = false;
    }
  }

  async #pass(table: IdTable, isFirst: boolean): Promise<void> {
    // Whatever fails stops the steps that run beside it, too.
    const stop = new AbortController();
    const { signal: outer, onProgress, quick } = this.#options;
    const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
    const pass = new Pass({
      parts: this.#parts,
      table,
      findings: isFirst ? this.#findings : undefined,
      checked: this.#checked,
      pace: new Pace(this.#parts.clock, signal, onProgress),
      hashes: quick !== true,
    });
    try {
      const audit = await this.#steps(pass);
      if (isFirst) this.#droppedUnnamed = audit.droppedUnnamed;
    } catch (error) {
      stop.abort(error);
      throw error;
    }
    await this.#sumUp(table);
  }

  async #steps(pass: Pass): Promise<AuditLook> {
    const ledgers = await lookAtLedger(pass);
    await lookAtPending(pass);
    const segments = new Set<string>();
    await lookAtSegments(pass, segments);
    // The store's thread works through the rows; this one has the time for the files.
    const [, [unfinished, audit]] = await Promise.all([
      lookAtStore(pass),
      lookAtFiles(pass),
    ] as const);
    await lookAtArchiveAgain(pass, unfinished);
    await lookAgain(pass, segments);
    const auditAgain = await lookAtAuditLog(pass, true);
    judgeAuditLog(pass, audit, auditAgain);
    await lookAtLedgerAgain(pass, ledgers);
    return auditAgain;
  }

  async #sumUp(table: IdTable): Promise<void> {
    this.#captured += table.count;
    // Read last: an order that was carried out meanwhile has left what we saw of it before.
    const purging = new Set([...this.#purging, ...(await beingForgotten(this.#parts))]);
    tally(table, this.#counts, {
      onMissing: (ulid) => {
        this.#nowhere++;
        this.#findings.add("missing", ulid);
      },
      onForgottenLeft: (ulid) => {
        const isUnderWay = purging.has(ulid());
        this.#findings.add(isUnderWay ? "being_forgotten" : "forgotten_left", ulid);
      },
      onArchivedOnly: (ulid) => this.#findings.add("archived_not_stored", ulid),
      onUnledgered: (ulid) => {
        this.#unledgered++;
        this.#findings.add("unledgered", ulid);
      },
    });
  }

  report(): Omit<VerifyReport, "ms"> {
    const counts = { ...this.#counts };
    // Dropped on purpose so long ago that only their number is known.
    const explained = Math.min(this.#droppedUnnamed, this.#nowhere);
    counts.dropped += explained;
    counts.missing -= explained;
    this.#findings.take("missing", explained);
    const sum = Object.values(counts).reduce((total, count) => total + count, 0);
    if (sum !== this.#captured) {
      throw new TypeError(`the parts of the sum make ${sum}, not ${this.#captured}`);
    }
    const problems = this.#findings.problems();
    return {
      ok: problems.length === 0,
      captured: this.#captured,
      stored: counts.stored,
      duplicates: counts.duplicates,
      pending: counts.pending,
      spilled: counts.spilled,
      quarantined: counts.quarantined,
      forgotten: counts.forgotten,
      dropped: counts.dropped,
      missing: counts.missing,
      unledgered: this.#unledgered,
      problems,
      notes: this.#findings.notes(),
      checked: this.#checked,
      quick: this.#options.quick === true,
    };
  }
}

async function beingForgotten({ asyncFs, layout, clock }: VerifyParts) {
  return new ForgetView(asyncFs, layout, clock).hidden();
}

async function lookAtStore(pass: Pass): Promise<void> {
  await lookAtRows(pass);
  if (pass.isFirst) await lookAtIndex(pass);
}

async function lookAtFiles(pass: Pass): Promise<[unfinished: string[], audit: AuditLook]> {
  const unfinished = await lookAtArchive(pass);
  await lookAtQuarantine(pass);
  return [unfinished, await lookAtAuditLog(pass, false)];
}
