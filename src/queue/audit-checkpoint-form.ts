/**
 * What the audit checkpoint holds, how it lies on disk, and its files' names. Pure.
 *
 * Compact JSON with its own SHA-256 as the last field, over every byte before it, as an envelope
 * has. Bounded: the newest entries, and totals over all that ever were.
 *
 * Guarantees: what {@link encodeCheckpoint} made, {@link decodeCheckpoint} gives back; anything else
 * is undefined. A file that is entered twice counts once, also if lines were added to it in between.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import type { AuditTotals, PrefixHashes } from "./audit-count.ts";
import type { QueueLayout } from "./layout.ts";

const count = z.int().min(0);

const entrySchema = z.strictObject({
  /** Of the whole file, hexadecimal. */
  sha256: z.string(),
  bytes: count,
  spilled: count,
  dropped: count,
  damaged: count,
  /** ISO 8601, of its first and last whole line; null if it has none. */
  first_ts: z.string().nullable(),
  last_ts: z.string().nullable(),
});

const checkpointSchema = z.strictObject({
  version: z.literal(1),
  /** Each change makes the next one. */
  generation: z.int().min(1),
  /** Audit files that are summed up here. */
  files: count,
  bytes: count,
  spilled: count,
  dropped: count,
  damaged: count,
  /** True if an earlier checkpoint was lost to damage: the totals are a lower bound. */
  incomplete: z.boolean(),
  /** The newest of the files, oldest first. */
  entries: z.array(entrySchema),
});

export type CheckpointEntry = Readonly<z.infer<typeof entrySchema>>;
export type AuditCheckpoint = Readonly<z.infer<typeof checkpointSchema>>;

/**
 * A crash between checkpoint and deletion is mended by the next rotation; so many files later
 * nobody speaks of the same one again.
 */
export const CHECKPOINT_ENTRIES_MAX = 100;

const NAME = /^\.overflow-audit\.checkpoint-(\d{8,15})\.json$/;

export function checkpointPath(layout: QueueLayout, generation: number): string {
  const number = String(generation).padStart(8, "0");
  return join(layout.dir, `.overflow-audit.checkpoint-${number}.json`);
}

/** The generation in a checkpoint's name; undefined for every other name. */
export function checkpointGeneration(name: string): number | undefined {
  const number = NAME.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** Before the first change. */
export function emptyCheckpoint(): AuditCheckpoint {
  const none = { files: 0, bytes: 0, spilled: 0, dropped: 0, damaged: 0 };
  return { version: 1, generation: 0, ...none, incomplete: false, entries: [] };
}

export function encodeCheckpoint(checkpoint: AuditCheckpoint): string {
  const text = JSON.stringify(checkpoint).slice(0, -1);
  return `${text},"sha256":"${sha256Of(text)}"}`;
}

/** undefined for what is not a whole checkpoint of this version. */
export function decodeCheckpoint(bytes: Uint8Array): AuditCheckpoint | undefined {
  const text = Buffer.from(bytes).toString("utf8");
  const [, content, sha256] = /^(.*),"sha256":"([0-9a-f]{64})"\}$/s.exec(text) ?? [];
  if (content === undefined || sha256Of(content) !== sha256) return undefined;
  try {
    return checkpointSchema.safeParse(JSON.parse(`${content}}`)).data;
  } catch {
    return undefined; // not JSON: no checkpoint of ours
  }
}

/**
 * The next checkpoint, which has this file too; undefined if it has it already.
 * @param hashes of the file, of the beginnings as long as the entries' files were
 */
export function withEntry(
  checkpoint: AuditCheckpoint,
  entry: CheckpointEntry,
  hashes: Pick<PrefixHashes, "beginsWith">,
): AuditCheckpoint | undefined {
  if (checkpoint.entries.some(({ sha256 }) => sha256 === entry.sha256)) return undefined;
  // The same file before a late line was added to it, which kept it from being deleted.
  const replaced = checkpoint.entries.filter((before) => hashes.beginsWith(before));
  const kept = checkpoint.entries.filter((before) => !replaced.includes(before));
  return {
    ...checkpoint,
    generation: checkpoint.generation + 1,
    ...sumOf(checkpoint, [entry], replaced),
    entries: [...kept, entry].slice(-CHECKPOINT_ENTRIES_MAX),
  };
}

/** Totals of the files that are gone, given the entries of those that are still there. */
export function totalsOfGone(
  checkpoint: AuditCheckpoint,
  stillThere: readonly CheckpointEntry[],
): AuditTotals & { readonly files: number; readonly bytes: number } {
  return sumOf(checkpoint, [], stillThere);
}

function sumOf(
  from: AuditCheckpoint,
  added: readonly CheckpointEntry[],
  taken: readonly CheckpointEntry[],
): AuditTotals & { files: number; bytes: number } {
  const sum = (field: "bytes" | "spilled" | "dropped" | "damaged") =>
    added.reduce((total, entry) => total + entry[field], from[field]) -
    taken.reduce((total, entry) => total + entry[field], 0);
  return {
    files: from.files + added.length - taken.length,
    bytes: sum("bytes"),
    spilled: sum("spilled"),
    dropped: sum("dropped"),
    damaged: sum("damaged"),
  };
}

function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
