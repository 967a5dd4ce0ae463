/** One line of the overflow audit log: its shape, written and read. Pure. */
import { z } from "zod";
import { ulidSchema } from "../record/memory-record.ts";

/** What became of a record that left the full queue. */
export type Disposition = "spilled" | "dropped";

const auditLineSchema = z.object({
  /** ISO 8601. */
  ts: z.string(),
  reason: z.literal("queue_overflow"),
  dropped_ulid: ulidSchema,
  /** ISO 8601, as in the envelope. */
  appended_at: z.string(),
  queue_size_before_prune: z.int(),
  disposition: z.enum(["spilled", "dropped"]),
  /** Of the text; the text itself is never here. */
  sha256: z.string(),
});

export type AuditLine = Readonly<z.infer<typeof auditLineSchema>>;

export function encodeAuditLine(line: AuditLine): string {
  return JSON.stringify({
    ts: line.ts,
    reason: line.reason,
    dropped_ulid: line.dropped_ulid,
    appended_at: line.appended_at,
    queue_size_before_prune: line.queue_size_before_prune,
    disposition: line.disposition,
    sha256: line.sha256,
  });
}

/** undefined for what is no line of ours: torn by a crash, or damaged. */
export function parseAuditLine(text: string): AuditLine | undefined {
  try {
    return auditLineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // not JSON: the caller counts it
  }
}
