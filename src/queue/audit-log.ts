/**
 * The overflow audit log: one line for every record that left the full queue.
 * docs/QUEUE_FORMAT.md, "Overflow audit log".
 *
 * Guarantees: when `record` returns, every victim has its line on disk, whole, in a file whose name
 * survives a power cut, and so does the queue directory's own name; the victims may go. The lines of
 * one call are one write, so those of several processes do not mix. The log is rotated, and what a
 * backup said is in the checkpoint before the backup is deleted; as long as it can not be written
 * there, the backup stays and the log grows.
 * Does not guarantee one line a record: a victim whose removal failed has another line when it is
 * taken again. Holds ids, times and hashes, never a record's text.
 */
import { dirname, join } from "node:path";
import { type Events, silentEvents } from "../events/catalogue.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../platform/durable-fs-sync.ts";
import { RotatingFile, type RotationNotice } from "../platform/rotating-file.ts";
import type { RotationLimits } from "../platform/rotation-policy.ts";
import { recordCheckpoint } from "./audit-checkpoint.ts";
import { type Disposition, encodeAuditLine } from "./audit-line.ts";
import { ensureQueueDirectories } from "./directories.ts";
import type { QueueLayout } from "./layout.ts";
import { withReserve } from "./reserve.ts";

/** A record that is about to leave the queue. */
export interface PrunedRecord {
  readonly ulid: string;
  /** ISO 8601, as in its envelope. */
  readonly appendedAt: string;
  /** Of its text, hexadecimal. */
  readonly sha256: string;
}

export interface AuditLogOptions {
  readonly layout: QueueLayout;
  /** Where the alert goes that rotation fails; beside the queue directory when absent. */
  readonly alertsDir?: string;
  readonly fs?: DurableFsSync;
  readonly clock?: Clock;
  readonly events?: Events;
  readonly limits?: RotationLimits;
}

/** The alert's name below the directory for alerts. */
export const AUDIT_ALERT_NAME = "ALERT_AUDIT_ROTATION_FAILED.txt";

const FILE_BYTES_MAX = 10 * 1_048_576;
const BACKUPS_MAX = 5;
export const AUDIT_LIMITS: RotationLimits = Object.freeze({
  fileBytesMax: FILE_BYTES_MAX,
  backupsMax: BACKUPS_MAX,
  totalBytesMax: FILE_BYTES_MAX * (BACKUPS_MAX + 1),
});

export class AuditLog {
  readonly #layout: QueueLayout;
  readonly #fs: DurableFsSync;
  readonly #clock: Clock;
  readonly #file: RotatingFile;
  #hasDirectories = false;

  /** Touches no disk: the file is opened for the first record. */
  constructor(options: AuditLogOptions) {
    const { layout } = options;
    const alertsDir = options.alertsDir ?? join(dirname(layout.dir), "alerts");
    const events = options.events ?? silentEvents;
    this.#layout = layout;
    this.#fs = options.fs ?? nodeDurableFsSync;
    this.#clock = options.clock ?? systemClock;
    this.#file = new RotatingFile({
      path: layout.auditFile,
      limits: options.limits ?? AUDIT_LIMITS,
      durability: "fsync",
      alertPath: join(alertsDir, AUDIT_ALERT_NAME),
      beforeDelete: (path) => recordCheckpoint(this.#fs, layout, path),
      onNotice: (notice) => report(notice, events),
      fs: this.#fs,
      clock: this.#clock,
    });
  }

  /**
   * Writes one line for each victim. A crash before the return: any of them may be there, the last
   * one torn, and none was vouched for.
   *
   * @param queueSizeBeforePrune pending records before the first of them goes
   * @throws MemspoolError UNSAFE_PATH, DATA_DIR_UNUSABLE; the system error of opening, writing or
   *   syncing: no victim may go then, and lines of this call may be there nevertheless
   */
  record(
    disposition: Disposition,
    victims: readonly PrunedRecord[],
    queueSizeBeforePrune: number,
  ): void {
    if (victims.length === 0) return;
    this.#ensureDirectories();
    const ts = new Date(this.#clock.nowMs()).toISOString();
    const lines = victims.map(({ ulid, appendedAt, sha256 }) =>
      encodeAuditLine({
        ts,
        reason: "queue_overflow",
        dropped_ulid: ulid,
        appended_at: appendedAt,
        queue_size_before_prune: queueSizeBeforePrune,
        disposition,
        sha256,
      }),
    );
    // Repeating it after a torn write costs a line that readers pass over.
    withReserve({ fs: this.#fs, layout: this.#layout }, () => this.#file.append(lines.join("\n")));
  }

  /** Idempotent. */
  close(): void {
    this.#file.close();
  }

  /** The file syncs its own name, but not the names of the directories above it. */
  #ensureDirectories(): void {
    if (this.#hasDirectories) return;
    ensureQueueDirectories(this.#fs, this.#layout);
    this.#hasDirectories = true;
  }
}

function report(notice: RotationNotice, events: Events): void {
  switch (notice.kind) {
    case "rotation_failed": {
      const { error, operation, attempts, retryInMs } = notice;
      events.emit("audit_rotation_failed", { error, operation, attempts, retry_in_ms: retryInMs });
      return;
    }
    case "rotation_recovered":
      events.emit("audit_rotation_recovered", { away_ms: Math.round(notice.awayMs) });
      return;
    case "near_limit": {
      const { usedBytes, limitBytes } = notice;
      events.emit("audit_near_limit", { used_bytes: usedBytes, limit_bytes: limitBytes });
      return;
    }
    case "backup_deleted":
      events.emit("audit_backup_deleted", { bytes: notice.bytes });
  }
}
