/**
 * The overflow audit log: which records were dropped on purpose, and which must be somewhere because
 * they were spilled.
 */
import { type AuditPlace, readAudit } from "../../queue/audit-read.ts";
import type { Pass } from "./pass.ts";
import { DROPPED, SPILL_AUDITED } from "./places.ts";

export interface AuditLook {
  /** Lines that say "dropped" in files that rotation has deleted. */
  readonly droppedUnnamed: number;
  /** There may have been more of them. */
  readonly incomplete: boolean;
  readonly damaged: readonly AuditPlace[];
}

/** @param again only for ids that are known: nothing is counted, and none comes in */
export async function lookAtAuditLog(pass: Pass, again: boolean): Promise<AuditLook> {
  const { asyncFs, layout } = pass.parts;
  const damaged: AuditPlace[] = [];
  let lines = 0;
  const sum = await readAudit(asyncFs, layout, {
    onLine: ({ dropped_ulid: ulid, disposition }) => {
      lines++;
      const flag = disposition === "dropped" ? DROPPED : SPILL_AUDITED;
      if (again) pass.markIfThere(ulid, flag);
      else pass.mark(ulid, flag);
    },
    onDamaged: (place) => {
      if (damaged.length < DAMAGED_COUNT_MAX) damaged.push(place);
    },
  });
  if (!again) pass.count("audit_lines", lines);
  await pass.pace.worked("audit log", lines, lines);
  pass.pace.finished("audit log");
  return { droppedUnnamed: sum.gone.dropped, incomplete: sum.goneIncomplete, damaged };
}

/** Of names in the queue directory; see queue/audit-checkpoint.ts. */
const CHECKPOINT_PREFIX = ".overflow-audit.checkpoint";

/** What is told is bounded; a log of nothing but damage is not counted to its end. */
const DAMAGED_COUNT_MAX = 100_000;

/**
 * A last line that is being written counts as damaged, so only what both looks found is told. A line
 * keeps its number when rotation renames its file.
 */
export function judgeAuditLog(pass: Pass, first: AuditLook, second: AuditLook): void {
  const before = new Map<number, number>();
  for (const { line } of first.damaged) before.set(line, (before.get(line) ?? 0) + 1);
  let checkpoints = 0;
  for (const { file, line } of second.damaged) {
    const left = before.get(line) ?? 0;
    if (left === 0) continue;
    before.set(line, left - 1);
    if (!file.startsWith(CHECKPOINT_PREFIX)) {
      pass.findings.add("audit_damaged", () => (line === 0 ? file : `${file} line ${line}`));
    } else {
      checkpoints++;
      pass.findings.add("checkpoint_damaged", () => file);
    }
  }
  if (checkpoints === 0 && second.incomplete) {
    pass.findings.add("checkpoint_damaged", () => "an earlier one");
  }
}
