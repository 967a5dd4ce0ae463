/** Overflow audit logs for tests: victims by number, small limits, files by hand. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { RotationLimits } from "../../src/platform/rotation-policy.ts";
import { type AuditLine, encodeAuditLine } from "../../src/queue/audit-line.ts";
import { AuditLog, type AuditLogOptions, type PrunedRecord } from "../../src/queue/audit-log.ts";
import { type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import { freshDirectory } from "./fresh-directory.ts";

/** Two lines a file, two backups: the seventh line deletes the first two. */
const SMALL_AUDIT: RotationLimits = Object.freeze({
  fileBytesMax: 620,
  backupsMax: 2,
  totalBytesMax: 100_000,
});

export const AUDIT_APPENDED_AT = "2026-03-01T09:30:00.000Z";

/** The same id for the same number, in the order of numbers. */
export function auditUlid(n: number): string {
  return `01JQ7Z8X9YABCDEFGHJK${String(n).padStart(6, "0")}`;
}

export function victim(n: number): PrunedRecord {
  const sha256 = n.toString(16).padStart(64, "0");
  return { ulid: auditUlid(n), appendedAt: AUDIT_APPENDED_AT, sha256 };
}

export function auditLine(n: number, changes: Partial<AuditLine> = {}): AuditLine {
  return {
    ts: new Date(Date.UTC(2026, 2, 2) + n).toISOString(),
    reason: "queue_overflow",
    dropped_ulid: auditUlid(n),
    appended_at: AUDIT_APPENDED_AT,
    queue_size_before_prune: 100,
    disposition: "spilled",
    sha256: n.toString(16).padStart(64, "0"),
    ...changes,
  };
}

/** A queue directory's layout; `queue` in a fresh directory. */
export function freshAuditLayout(): QueueLayout {
  return queueLayout(join(freshDirectory(), "queue"));
}

export function openAudit(
  layout: QueueLayout,
  changes: Omit<AuditLogOptions, "layout"> = {},
): AuditLog {
  const audit = new AuditLog({ layout, limits: SMALL_AUDIT, ...changes });
  onTestFinished(() => audit.close());
  return audit;
}

/** Lines of these numbers as one file of the log. */
export function writeAuditFile(path: string, numbers: readonly number[]): void {
  writeFileSync(path, numbers.map((n) => `${encodeAuditLine(auditLine(n))}\n`).join(""));
}

/** Names in the queue directory that begin so, sorted. */
export function namesLike(layout: QueueLayout, start: string): string[] {
  return readdirSync(layout.dir)
    .filter((name) => name.startsWith(start))
    .sort();
}

/** Numbers from a to b, both included. */
export function numbers(a: number, b: number): number[] {
  return Array.from({ length: b - a + 1 }, (_, index) => a + index);
}
