/**
 * Every expected failure of memspool, as one class and one table of codes.
 *
 * Guarantees: a code never changes its meaning and callers branch on it, never on the message; a
 * message says what happened, then what to do, and never holds a record's text. Programmer's
 * mistakes are TypeErrors and are not listed here. docs/ERRORS.md explains every code.
 */

/** Code → whether the same call may succeed later without a change by the caller. */
export const ERROR_CODES = {
  // input
  INVALID_ARGUMENT: { retryable: false },
  RECORD_INVALID: { retryable: false },
  RECORD_TOO_LARGE: { retryable: false },
  BATCH_TOO_LARGE: { retryable: false },
  CURSOR_INVALID: { retryable: false },
  NOT_FOUND: { retryable: false },
  CONFIRM_INVALID: { retryable: false },
  CONFIG_INVALID: { retryable: false },
  PRIVACY_FAILED: { retryable: false },
  // the queue
  CAPTURE_FAILED: { retryable: true },
  QUEUE_FULL: { retryable: true },
  BACKPRESSURE: { retryable: true },
  ULID_CONFLICT: { retryable: false },
  IDEMPOTENCY_CONFLICT: { retryable: false },
  DATA_DIR_UNUSABLE: { retryable: false },
  UNSAFE_PATH: { retryable: false },
  // an envelope on disk
  ENVELOPE_UNREADABLE: { retryable: false },
  ENVELOPE_NOT_JSON: { retryable: false },
  SCHEMA_VERSION_UNSUPPORTED: { retryable: false },
  ENVELOPE_ID_MISMATCH: { retryable: false },
  ENVELOPE_CHECKSUM_MISMATCH: { retryable: false },
  ENVELOPE_RECORD_INVALID: { retryable: false },
  // the store
  STORE_UNAVAILABLE: { retryable: true },
  STORE_REFUSED: { retryable: false },
  STORE_TOO_NEW: { retryable: false },
  // maintenance
  LEASE_HELD: { retryable: true },
  REBUILD_INCOMPLETE: { retryable: false },
  BACKUP_INVALID: { retryable: false },
  IMPORT_INVALID: { retryable: false },
  TARGET_EXISTS: { retryable: false },
  // a client's files
  CLIENT_CONFIG_INVALID: { retryable: false },
  CLIENT_CONFIG_UNUSABLE: { retryable: false },
  CLIENT_CONFIG_CHANGED: { retryable: true },
  CLIENT_ENTRY_FOREIGN: { retryable: false },
  INSTALL_TEMPORARY: { retryable: false },
  // the server
  FLUSH_CANCELLED: { retryable: true },
  SHUTTING_DOWN: { retryable: true },
  INTERNAL: { retryable: false },
} as const satisfies Record<string, { retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * Whether a failed capture may nevertheless be on disk.
 * `no`: nothing of it is there, capture again. `unknown`: it may be there; capture again with
 * `retry_ulid` set to the error's `ulid`, which can not store it twice.
 */
export type StoredState = "no" | "unknown";

/** Facts about a failure that a program can use. Never a record's text. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export class MemspoolError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MemspoolError";
    this.code = code;
    this.retryable = ERROR_CODES[code].retryable;
    this.details = options.details ?? {};
  }
}

/**
 * An envelope of a schema version that this program does not know. The file is left alone: a newer
 * memspool wrote it and will read it.
 */
export class CaptureQueueSchemaError extends MemspoolError {
  readonly schemaVersion: unknown;

  constructor(file: string, schemaVersion: unknown) {
    super(
      "SCHEMA_VERSION_UNSUPPORTED",
      `${file} has schema_version ${JSON.stringify(schemaVersion)}, which this version of memspool ` +
        "does not read. Upgrade memspool; the file stays where it is.",
      { details: { file, schema_version: String(schemaVersion) } },
    );
    this.name = "CaptureQueueSchemaError";
    this.schemaVersion = schemaVersion;
  }
}

/** The error as plain data, for a wire or a worker's message. */
export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly details: ErrorDetails;
}

/** Any thrown value as plain data; what is not ours becomes INTERNAL with its text withheld. */
export function reportError(error: unknown): ErrorReport {
  if (error instanceof MemspoolError) {
    const { code, message, retryable, details } = error;
    return { code, message, retryable, details };
  }
  return {
    code: "INTERNAL",
    message: "memspool failed in a way it does not know. See its log; please report it.",
    retryable: false,
    details: { error: error instanceof Error ? error.name : typeof error },
  };
}

/** The inverse of {@link reportError}, for the receiving side of a worker's message. */
export function errorFromReport(report: ErrorReport): MemspoolError {
  return new MemspoolError(report.code, report.message, { details: report.details });
}
