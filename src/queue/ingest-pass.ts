/**
 * One pass of `ingestPending`: spilled records first (ingest-segments.ts), then what is pending,
 * record by record, each under its mark.
 *
 * Guarantees: a record is read only after it is claimed, so one that another process has just
 * ingested is not handled again; the envelope goes before the mark, for the same reason. A record's
 * line in the ledger is durable before the record goes. The
 * high-water id is recorded before the newest record goes; until then that record lies there for
 * all to see, so a disk too full for the rewrite keeps one record back and not all of them. Small
 * synchronous file calls run between the handler's awaits.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { CaptureQueueSchemaError } from "../errors.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import type { MemoryRecord } from "../record/memory-record.ts";
import { isFarAhead } from "../record/record-id.ts";
import { type Claim, Claims, MARK_TOUCH_MS } from "./claim.ts";
import { HighWater } from "./high-water.ts";
import { IngestSegments } from "./ingest-segments.ts";
import { pendingPath } from "./layout.ts";
import { LedgerSync } from "./ledger-sync.ts";
import type { MarkMemory } from "./mark-memory.ts";
import { listPendingSync } from "./pending-list.ts";
import { readEnvelope } from "./read-envelope.ts";
import { recover } from "./recover.ts";
import { isPermanent, keepForRetry, type SetAsideParts, spendAttempt } from "./set-aside.ts";
import { unlinkEnvelope } from "./settle.ts";

export interface HandlerContext {
  readonly ulid: string;
  /** ISO 8601. */
  readonly appendedAt: string;
  /** From 1. */
  readonly attempt: number;
}

export type RecordHandler = (record: MemoryRecord, context: HandlerContext) => void | Promise<void>;

export interface IngestPassParts extends SetAsideParts {
  readonly markMemory?: MarkMemory | undefined;
}

/** Records after which the event loop gets a turn. */
const TURN_COUNT = 32;

export class IngestPass {
  readonly #parts: SetAsideParts;
  readonly #claims: Claims;
  readonly #highWater: HighWater;
  readonly #ledger: LedgerSync;
  readonly #segments: IngestSegments;
  readonly #unknownVersions = new Set<string>();
  #recovered = false;

  constructor(parts: IngestPassParts) {
    this.#parts = parts;
    this.#claims = new Claims(parts.fs, parts.layout, parts.clock, parts.markMemory);
    this.#highWater = new HighWater(parts.fs, parts.layout, parts.clock);
    this.#ledger = new LedgerSync(parts.fs, parts.layout, parts.clock);
    this.#segments = new IngestSegments({
      ...parts,
      claims: this.#claims,
      ledger: this.#ledger,
      highWater: this.#highWater,
    });
  }

  async run(handler: RecordHandler): Promise<number> {
    if (typeof handler !== "function") throw new TypeError("ingestPending needs a function");
    const ulids = this.#list();
    const nowMs = this.#parts.clock.nowMs();
    const newest = ulids.findLast((ulid) => !isFarAhead(ulid, nowMs));
    let ingestedCount = 0;
    const failures: unknown[] = [];
    // They hold the older ones. What is spilled from now on is in the next pass's segments.
    await this.#segments.run({
      handle: (claim, { ulid, record, appendedAt }, attempt) =>
        this.#handle(claim, () => handler(record, { ulid, appendedAt, attempt })),
      onIngested: () => {
        ingestedCount++;
      },
      onFailure: (error) => failures.push(error),
    });
    for (const [index, ulid] of ulids.entries()) {
      if (index % TURN_COUNT === TURN_COUNT - 1) await nextTurn();
      try {
        if (ulid === newest) this.#highWater.record([newest]);
        if (await this.#ingestOne(ulid, handler)) ingestedCount++;
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw summarise(failures, ingestedCount);
    return ingestedCount;
  }

  /** What is pending, after the first look's recovery; a removed directory is made again. */
  #list(): readonly string[] {
    const { fs, layout } = this.#parts;
    if (this.#recovered) {
      try {
        return listPendingSync(fs, layout).ulids;
      } catch (error) {
        if (!isErrno(error, "ENOENT")) throw error;
      }
    }
    recover(this.#parts);
    this.#recovered = true;
    return listPendingSync(fs, layout).ulids;
  }

  async #ingestOne(ulid: string, handler: RecordHandler): Promise<boolean> {
    const { fs, layout } = this.#parts;
    const claim = this.#claims.take(ulid);
    if (!claim) return false;
    try {
      const envelope = readEnvelope(fs, pendingPath(layout, ulid), ulid);
      if (!envelope) {
        claim.release(); // another process ingested it since we listed
        return false;
      }
      const { record, appendedAt } = envelope;
      await this.#handle(claim, () =>
        handler(record, { ulid, appendedAt, attempt: claim.state.attempts + 1 }),
      );
      // One look, and a sync only if lines came since the last one: its own may be among them.
      this.#ledger.sync(Date.parse(appendedAt));
      unlinkEnvelope(fs, layout, ulid);
      claim.release();
      return true;
    } catch (error) {
      this.#fail(claim, error);
      throw error;
    }
  }

  async #handle(claim: Claim, handle: () => void | Promise<void>): Promise<void> {
    const alive = setInterval(() => {
      try {
        claim.touch();
      } catch (error) {
        // Thrown from a timer it would end the process. The mark grows stale instead, and the
        // handler may run twice.
        if (errnoOf(error) === undefined) throw error;
      }
    }, MARK_TOUCH_MS);
    try {
      await handle();
    } finally {
      clearInterval(alive);
    }
  }

  #fail(claim: Claim, error: unknown): void {
    if (error instanceof CaptureQueueSchemaError) {
      claim.release();
      if (this.#unknownVersions.has(claim.ulid)) return;
      this.#unknownVersions.add(claim.ulid);
      this.#parts.events.emit("schema_version_unknown", {
        ulid: claim.ulid,
        schema_version: String(error.schemaVersion).slice(0, 32),
      });
      return;
    }
    if (isPermanent(error)) this.#spend(claim, error);
    else keepForRetry(claim, error);
  }

  /** A disk that takes neither mark nor quarantine must not keep the claim, nor hide the fault. */
  #spend(claim: Claim, fault: unknown): void {
    try {
      spendAttempt(this.#parts, claim, fault);
    } catch (error) {
      claim.fail(claim.state);
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      this.#parts.events.emit("envelope_read_failed", { ulid: claim.ulid, errno });
    }
  }
}

/** One failure as itself, several together; both tell how many records were ingested. */
function summarise(failures: readonly unknown[], ingestedCount: number): unknown {
  const only = failures.length === 1 ? failures[0] : undefined;
  if (only !== undefined) {
    if (typeof only === "object" && only !== null && Object.isExtensible(only)) {
      Object.assign(only, { ingestedCount });
    }
    return only;
  }
  const message = `${failures.length} records could not be ingested; ${ingestedCount} were.`;
  return Object.assign(new AggregateError(failures, message), { ingestedCount });
}
