/**
 * The log as a rotating file that says of itself what happens to it.
 *
 * Guarantees: writing a line never throws; lines that could not be written are counted, and the
 * count is an event as soon as one can be written again. Events about the log are emitted after the
 * line in hand, never in the midst of it, and none leads to another, so the log does not feed on
 * itself. Lines are not fsynced: they survive the death of the process, not a power cut.
 */
import { join } from "node:path";
import { RotatingFile, type RotationNotice } from "../platform/rotating-file.ts";
import { ROTATION_ALERT_NAME } from "../platform/rotation-alert.ts";
import type { Events } from "./catalogue.ts";

export interface LogFileOptions {
  /** Absolute path. */
  readonly path: string;
  /** Size at which it is rotated. */
  readonly fileBytesMax: number;
  readonly backupsMax: number;
  /** Directory for the alert that rotation fails; made when needed. */
  readonly alertsDir: string;
  /** Who hears of the log itself; may well be what writes to it. */
  readonly events: Events;
}

/**
 * @throws MemspoolError UNSAFE_PATH for a symlink or anything but a file; the system error if the
 *   file can not be opened
 */
export function openLogFile(options: LogFileOptions): { write(line: string): void } {
  const { path, fileBytesMax, backupsMax, alertsDir, events } = options;
  const file = new RotatingFile({
    path,
    limits: { fileBytesMax, backupsMax, totalBytesMax: fileBytesMax * (backupsMax + 1) },
    durability: "none",
    alertPath: join(alertsDir, ROTATION_ALERT_NAME),
    onNotice: (notice) => queueMicrotask(() => report(notice, events)),
  });
  file.open();
  let lost = { count: 0, error: "" };
  return {
    write(line) {
      try {
        file.append(line);
      } catch (error) {
        lost = { count: lost.count + 1, error: codeOf(error) };
        return;
      }
      if (lost.count === 0) return;
      const fields = lost;
      lost = { count: 0, error: "" };
      queueMicrotask(() => events.emit("log_lines_lost", fields));
    },
  };
}

function report(notice: RotationNotice, events: Events): void {
  switch (notice.kind) {
    case "rotation_failed": {
      const { error, operation, attempts, retryInMs } = notice;
      events.emit("log_rotation_failed", { error, operation, attempts, retry_in_ms: retryInMs });
      return;
    }
    case "rotation_recovered":
      events.emit("log_rotation_recovered", { away_ms: Math.round(notice.awayMs) });
      return;
    case "near_limit":
      events.emit("log_near_limit", {
        used_bytes: notice.usedBytes,
        limit_bytes: notice.limitBytes,
      });
      return;
    case "backup_deleted":
      events.emit("log_backup_deleted", { bytes: notice.bytes });
  }
}

/** The errno name, or the code of an error of ours. */
function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "unknown";
}
