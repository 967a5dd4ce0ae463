/**
 * What SQLite's failures mean to memspool. Branches on result codes (https://sqlite.org/rescode.html)
 * and never on messages, which can hold a record's words and are not passed on.
 */
import { MemspoolError } from "../../errors.ts";
import { resultCode } from "./driver.ts";

/** Primary result codes that are not the records' fault. */
const UNAVAILABLE: Readonly<Record<number, string>> = {
  3: "perm",
  5: "busy",
  6: "locked",
  7: "nomem",
  8: "readonly",
  10: "ioerr",
  11: "corrupt",
  13: "full",
  14: "cantopen",
  15: "protocol",
  26: "notadb",
};

/** Primary result codes that the same batch will always give. */
const REFUSED: Readonly<Record<number, string>> = {
  18: "toobig",
  19: "constraint",
  20: "mismatch",
  25: "range",
};

/** What happened, then what to do. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  busy: "Another process is writing to the store. It is tried again; nothing is lost.",
  locked: "Another process is writing to the store. It is tried again; nothing is lost.",
  full: "The disk that holds the store is full. Free some space; captures stay in the queue.",
  readonly:
    "The store can not be written to. Check the owner and mode of its files; captures stay in the queue.",
  perm: "The store's files may not be opened. Check their owner and mode.",
  cantopen:
    "The store's file can not be opened. Check that it is a file, its owner and mode, and whether its " +
    "disk is read-only.",
  corrupt:
    "The store's file is damaged. Stop all servers and run `memspool rebuild`: it makes a new store " +
    "from what can be read, the done archive and the queue.",
  notadb:
    "The store's file is not a SQLite database. Stop all servers and run `memspool rebuild`: it makes a " +
    "new store from the done archive and the queue, and keeps this file.",
  ioerr:
    "The disk reported an error under the store. Look at the system's log; captures stay queued.",
  nomem: "There was no memory left for the store.",
  protocol: "Other processes hold the store's locks. It is tried again; nothing is lost.",
  replaced:
    "The store's file was removed or replaced while it was in use. It is opened again; what was being " +
    "written stays in the queue.",
  closed: "The store was closed. Open it again.",
  foreign:
    "The store's file is a SQLite database of another program. Move it away or set another home.",
  schema:
    "The store's file lacks tables it should have. Stop all servers and run `memspool rebuild`.",
  intent:
    "The file store/replace-intent.json was damaged, so it is not known which store is " +
    'the right one. Nothing was touched. See docs/OPERATING.md, "Rebuild".',
  rebuild:
    "The rebuilt store did not pass its own checks and was not used. The old one is in place.",
  settings:
    "SQLite did not accept a setting that memspool's promise depends on. Look at the details.",
  engine: "The SQLite library is too old to share a database safely. Install memspool again.",
};

/** A STORE_UNAVAILABLE; `reason` is a stable lower-case word. */
export function unavailable(
  reason: string,
  options: { cause?: unknown; details?: Record<string, string | number> } = {},
): MemspoolError {
  const message = EXPLANATIONS[reason] ?? "The store can not be used right now. Try again.";
  return new MemspoolError("STORE_UNAVAILABLE", message, {
    details: { reason, ...options.details },
    ...("cause" in options ? { cause: options.cause } : {}),
  });
}

/** A STORE_REFUSED: this batch holds a record that can never be stored. */
export function refused(reason: string, cause?: unknown): MemspoolError {
  return new MemspoolError(
    "STORE_REFUSED",
    "The store can not keep a record of this batch. The record is set aside; the others go on.",
    { details: { reason }, ...(cause === undefined ? {} : { cause }) },
  );
}

/** The MemspoolError for a driver's error; any other value comes back as it is. */
export function storeError(error: unknown): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const unavailableReason = UNAVAILABLE[code];
  if (unavailableReason !== undefined) return unavailable(unavailableReason, { cause: error });
  const refusedReason = REFUSED[code];
  return refusedReason === undefined ? error : refused(refusedReason, error);
}

/** The `details.reason` of a STORE_UNAVAILABLE. */
export function unavailableReason(error: unknown): string | undefined {
  if (!(error instanceof MemspoolError) || error.code !== "STORE_UNAVAILABLE") return undefined;
  return String(error.details.reason);
}
