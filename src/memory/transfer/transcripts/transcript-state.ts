/**
 * How far a transcript was read, so that the next import goes on from there.
 *
 * Guarantees: nothing depends on it but time: turns have idempotency keys, and a state that is lost,
 * damaged, of other rules, of another file or of a store that does not know what was captured counts
 * as none. Holds no text. Written whole or not at all (write-file-atomic, not fsynced: it can be made
 * again), 0600 in a directory of 0700.
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errnoOf } from "../../../platform/errno.ts";
import { makeDirectories } from "../../../platform/make-directories.ts";
import { textSha256 } from "../../../record/content-hash.ts";
import { ulidSchema } from "../../../record/memory-record.ts";
import type { TranscriptParts } from "./import-job.ts";
import { CLIENTS } from "./line-verdict.ts";

/** Raise it when more of a transcript is understood: everything is then read once more. */
const RULES = 1;
const HEAD_BYTES_MAX = 4_096;

const stateSchema = z.strictObject({
  rules: z.literal(RULES),
  path: z.string(),
  /** The file's first bytes tell it from another that got its name. */
  head: z.strictObject({ bytes: z.int().min(1), sha256: z.string() }),
  client: z.enum(CLIENTS),
  include_tools: z.boolean(),
  /** Bytes and lines that were read. */
  offset: z.int().min(1),
  lines: z.int().min(0),
  /** The last id that was captured; a store that does not know it has lost what was read. */
  witness: ulidSchema.optional(),
  codex: z.strictObject({
    sessionId: z.string().optional(),
    cwd: z.string().optional(),
    startedAt: z.string().optional(),
    gitBranch: z.string().optional(),
    isSubagent: z.boolean().optional(),
  }),
  counts: z.record(z.string(), z.int().min(1)),
});

export type TranscriptState = z.infer<typeof stateSchema>;

type StateParts = Pick<TranscriptParts, "fs" | "fsSync" | "statesDir" | "receipt">;

/** @returns undefined if the file has to be read from its beginning */
export async function loadState(
  parts: StateParts,
  path: string,
  file: FileHandle,
  includeTools: boolean,
): Promise<TranscriptState | undefined> {
  const bytes = await parts.fs.read(statePath(parts, path)).catch((error: unknown) => {
    // ENOENT: never read. Anything else shows again when the state is saved.
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  });
  const state = bytes && parse(bytes);
  if (state === undefined || state.path !== path) return undefined;
  // Results of tools that were passed over have to be read; those that were read do no harm.
  if (includeTools && !state.include_tools) return undefined;
  const { size } = await file.stat();
  if (size < state.offset) return undefined;
  if ((await headOf(file, state.head.bytes)).sha256 !== state.head.sha256) return undefined;
  return (await isKnown(parts, state.witness)) ? state : undefined;
}

/** @returns the errno if it could not be written, which costs the next import time and no turn */
export function saveState(parts: StateParts, state: TranscriptState): string | undefined {
  const { fsSync, statesDir } = parts;
  try {
    makeDirectories(fsSync, statesDir);
    // A link could lead out of the data directory.
    if (fsSync.facts(statesDir).kind !== "directory") return "ENOTDIR";
    fsSync.replace(statePath(parts, state.path), JSON.stringify(state), "none");
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return errno;
  }
}

export async function stateOf(
  file: FileHandle,
  rest: Omit<TranscriptState, "rules" | "head">,
): Promise<TranscriptState> {
  return { rules: RULES, head: await headOf(file, Math.min(rest.offset, HEAD_BYTES_MAX)), ...rest };
}

async function headOf(file: FileHandle, bytes: number): Promise<TranscriptState["head"]> {
  const buffer = Buffer.alloc(Math.min(bytes, HEAD_BYTES_MAX));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  const sha256 = createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("hex");
  return { bytes: buffer.length, sha256 };
}

async function isKnown({ receipt }: StateParts, witness: string | undefined): Promise<boolean> {
  if (witness === undefined) return true;
  try {
    const { state, store_error } = await receipt(witness);
    return state !== "unknown" && store_error === undefined;
  } catch {
    return false; // whatever it is: reading everything again is right, only slower
  }
}

function parse(bytes: Buffer): TranscriptState | undefined {
  try {
    return stateSchema.safeParse(JSON.parse(bytes.toString("utf8"))).data;
  } catch {
    return undefined; // cut or damaged
  }
}

function statePath({ statesDir }: StateParts, path: string): string {
  return join(statesDir, `${textSha256(path).slice(0, 32)}.json`);
}
