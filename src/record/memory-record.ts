/**
 * What a caller gives us to remember. The schema is the type.
 *
 * Guarantees: a parsed record holds the caller's strings code unit for code unit. Nothing is
 * trimmed, normalised, defaulted or dropped here: an absent field stays absent, and
 * {@link withDefaults} shows what an absent field means. Unknown fields are refused by name.
 */
import { isValid as isUlid } from "ulid";
import { z } from "zod";
import { MemspoolError } from "../errors.ts";
import {
  CUE_BYTES_MAX,
  METADATA_DEPTH_MAX,
  RECORD_ATTRIBUTES_BYTES_MAX,
  RECORD_TEXT_BYTES_MAX,
  SHORT_STRING_BYTES_MAX,
  SUPERSEDES_COUNT_MAX,
  TAG_COUNT_MAX,
} from "./limits.ts";
import { utf8Bytes } from "./utf8-bytes.ts";

export { utf8Bytes } from "./utf8-bytes.ts";

export const TIERS = ["working", "episodic", "semantic", "procedural"] as const;
export const ROLES = ["user", "assistant", "system", "tool"] as const;
export const PRIORITIES = ["high", "normal", "low"] as const;

function boundedString(bytesMax: number) {
  return z.string().refine((text) => utf8Bytes(text) <= bytesMax, {
    error: (issue) =>
      `is ${utf8Bytes(issue.input as string)} bytes of UTF-8, the limit is ${bytesMax}`,
  });
}

/** An identifier in the form of the ULID specification, at most 7ZZZZZZZZZ… (48-bit time). */
export const ulidSchema = z
  .string()
  .refine((id) => isUlid(id) && /^[0-7]/.test(id) && id === id.toUpperCase(), {
    error: "is not a ULID: 26 characters of Crockford's base 32, upper case",
  });

const ISO_8601 =
  /^[+-]?\d{4,6}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;

/** A date or date-time; {@link timeMs} reads it. */
export const isoTimeSchema = boundedString(64).refine(
  (time) => ISO_8601.test(time) && !Number.isNaN(timeMs(time)),
  { error: "is not an ISO 8601 date or date-time, such as 2026-03-01T09:30:00Z" },
);

/** Milliseconds since 1970 of an ISO 8601 time; NaN for anything else. */
export function timeMs(time: string): number {
  return Date.parse(time.replace(",", "."));
}

export const memoryRecordSchema = z.strictObject({
  surface: z.string(),
  cue: boundedString(CUE_BYTES_MAX).optional(),
  tier: z.enum(TIERS).optional(),
  session_id: boundedString(SHORT_STRING_BYTES_MAX).optional(),
  role: z.enum(ROLES).optional(),
  project: boundedString(SHORT_STRING_BYTES_MAX).optional(),
  source: boundedString(SHORT_STRING_BYTES_MAX).optional(),
  occurred_at: isoTimeSchema.optional(),
  tags: z.array(boundedString(SHORT_STRING_BYTES_MAX)).max(TAG_COUNT_MAX).optional(),
  metadata: z.record(z.string(), z.json()).optional(),
  priority: z.enum(PRIORITIES).optional(),
  idempotency_key: boundedString(SHORT_STRING_BYTES_MAX).optional(),
  supersedes: z.array(ulidSchema).max(SUPERSEDES_COUNT_MAX).optional(),
});

export type MemoryRecord = z.infer<typeof memoryRecordSchema>;

/** The fields whose absence has a meaning of its own. */
export function withDefaults(record: MemoryRecord): MemoryRecord & {
  tier: (typeof TIERS)[number];
  project: string;
  priority: (typeof PRIORITIES)[number];
} {
  return {
    ...record,
    tier: record.tier ?? "episodic",
    project: record.project ?? "",
    priority: record.priority ?? "normal",
  };
}

/**
 * Checks a record as handed in and returns it, its own fields only.
 *
 * @param input any value
 * @param textBytesMax the limit on `surface` in UTF-8 bytes
 * @throws MemspoolError RECORD_INVALID naming each wrong field; RECORD_TOO_LARGE naming limit and
 *   size. Neither repeats any of the record's text.
 */
export function parseRecord(input: unknown, textBytesMax = RECORD_TEXT_BYTES_MAX): MemoryRecord {
  boundMetadata(input);
  const parsed = memoryRecordSchema.safeParse(input, { reportInput: true });
  if (!parsed.success) throw recordInvalid(describeIssues(parsed.error));
  // The caller's own values, not the schema's copies: a copy loses a metadata key "__proto__".
  const given = input as Record<string, unknown>;
  const own = Object.keys(memoryRecordSchema.shape).filter((key) => given[key] !== undefined);
  const record = Object.fromEntries(own.map((key) => [key, given[key]])) as MemoryRecord;
  refuseOver("surface", utf8Bytes(record.surface), textBytesMax);
  const { surface: _text, ...attributes } = record;
  refuseOver(
    "everything beside surface, as JSON,",
    utf8Bytes(JSON.stringify(attributes)),
    RECORD_ATTRIBUTES_BYTES_MAX,
  );
  return record;
}

function recordInvalid(problems: string[]): MemspoolError {
  return new MemspoolError(
    "RECORD_INVALID",
    `The record can not be captured: ${problems.join("; ")}. Correct the named fields.`,
    { details: { problems } },
  );
}

/** True for a record as {@link parseRecord} lets through, sizes of strings apart. */
export function isRecord(value: unknown): value is MemoryRecord {
  try {
    boundMetadata(value);
  } catch (error) {
    if (error instanceof MemspoolError) return false;
    throw error;
  }
  return memoryRecordSchema.safeParse(value).success;
}

/**
 * Keeps the schema, which calls itself level by level, from metadata that would exhaust the stack,
 * and from objects that hold one another, which would double at every level.
 */
function boundMetadata(input: unknown): void {
  let level: unknown[] = [(input as { metadata?: unknown } | null | undefined)?.metadata];
  for (let depth = 0; depth <= METADATA_DEPTH_MAX; depth++) {
    level = level.flatMap((item) =>
      typeof item === "object" && item !== null ? Object.values(item) : [],
    );
    if (level.length === 0) return;
    // A value takes two bytes of JSON at the least: itself and what parts it from the next.
    refuseOver("metadata, at the least,", 2 * level.length, RECORD_ATTRIBUTES_BYTES_MAX);
  }
  throw recordInvalid([`metadata is nested deeper than ${METADATA_DEPTH_MAX} levels`]);
}

function refuseOver(what: string, bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  throw new MemspoolError(
    "RECORD_TOO_LARGE",
    `The record's ${what} is ${bytes} bytes, the limit is ${bytesMax}. ` +
      "Split the text over several records of one session.",
    { details: { limit_bytes: bytesMax, size_bytes: bytes } },
  );
}

/** A schema's complaints as short sentences that name the field and never show its value. */
export function describeIssues(error: z.ZodError): string[] {
  return error.issues.map((issue) => {
    const at = issue.path.map(String).join(".");
    if (issue.code === "unrecognized_keys") {
      const names = issue.keys.map((key) => JSON.stringify(key.slice(0, 64))).join(", ");
      return `${at ? `${at}: ` : ""}unknown argument ${names}`;
    }
    if (issue.code === "invalid_type") {
      return issue.input === undefined
        ? `${at || "the input"} is required (${issue.expected})`
        : `${at || "the input"} must be of type ${issue.expected}`;
    }
    if (issue.code === "invalid_value") {
      return `${at} must be one of ${issue.values.map(String).join(", ")}`;
    }
    return `${at || "the input"} ${boundBroken(issue) ?? issue.message}`;
  });
}

/** A bound of ours in our words; undefined for what the schema says itself. */
function boundBroken(issue: z.core.$ZodIssue): string | undefined {
  if (issue.code !== "too_big" && issue.code !== "too_small") return undefined;
  const [limit, bound] =
    issue.code === "too_big" ? ["at most", issue.maximum] : ["at least", issue.minimum];
  const unit = { string: " characters long", array: " entries long" }[issue.origin as string] ?? "";
  return `must be ${limit} ${bound}${unit}`;
}
