/**
 * What a backup consists of: `manifest.json`, written last. docs/OPERATING.md, "Backup".
 *
 * Guarantees: a manifest that was cut or changed is noticed by its own checksum, and a file of the
 * backup that was cut or changed by the manifest. A path in it never leads out of the backup or the
 * data directory. Changes nothing.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { MemspoolError } from "../../errors.ts";
import type { DurableFs } from "../../platform/durable-fs.ts";
import { errnoOf, isErrno } from "../../platform/errno.ts";
import { damageOfStoreCopy } from "../../store/stored-copy.ts";
import { measureFile } from "./copy-file.ts";

export const MANIFEST_NAME = "manifest.json";
export const STORE_PATH = "store/memspool.db";
const FORMAT_VERSION = 1;
const MANIFEST_BYTES_MAX = 256 * 1_048_576;

/** Names as memspool makes them, in the directories of a queue and a store; nothing like `..`. */
const PATH =
  /^(?:queue\/(?:(?:quarantine|done|overflow|ingester|forget|forget\/done)\/)?|store\/)[.]?[\w-][\w.-]*$/;

const fileSchema = z.object({
  path: z.string().regex(PATH),
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const skippedSchema = z.object({ path: z.string(), reason: z.string() });

const manifestSchema = z.object({
  memspool_backup: z.literal(FORMAT_VERSION),
  memspool_version: z.string(),
  created_at: z.string(),
  files: z.array(fileSchema),
  /** What was there and could not be read. */
  skipped: z.array(skippedSchema),
  /** Of the two lists: two manifests with the same one are of the same content. */
  checksum: z.string(),
});

export type BackupFile = Readonly<z.infer<typeof fileSchema>>;
export type SkippedFile = Readonly<z.infer<typeof skippedSchema>>;
export type BackupManifest = Readonly<z.infer<typeof manifestSchema>>;

/** Whether a manifest may hold the path, and a restore may write there. */
export function isBackupPath(path: string): boolean {
  return PATH.test(path);
}

export function encodeManifest(
  content: Omit<BackupManifest, "memspool_backup" | "checksum">,
): Buffer {
  const { memspool_version, created_at, files, skipped } = content;
  const manifest = { memspool_backup: FORMAT_VERSION, memspool_version, created_at };
  const whole = { ...manifest, files, skipped, checksum: checksumOf(files, skipped) };
  return Buffer.from(JSON.stringify(whole), "utf8");
}

/** @throws MemspoolError BACKUP_INVALID naming the manifest */
export async function readManifest(fs: DurableFs, directory: string): Promise<BackupManifest> {
  const path = join(directory, MANIFEST_NAME);
  let content: unknown;
  try {
    if ((await fs.facts(path)).bytes > MANIFEST_BYTES_MAX)
      throw invalid(MANIFEST_NAME, "too large");
    content = JSON.parse((await fs.read(path)).toString("utf8"));
  } catch (error) {
    if (error instanceof MemspoolError) throw error;
    if (isErrno(error, "ENOENT", "ENOTDIR")) throw noBackup(directory, error);
    throw invalid(MANIFEST_NAME, errnoOf(error) ?? "not JSON", error);
  }
  const version = (content as { memspool_backup?: unknown } | null)?.memspool_backup;
  if (typeof version === "number" && version > FORMAT_VERSION) {
    throw invalid(MANIFEST_NAME, `of format ${version}, which a newer memspool writes`);
  }
  const parsed = manifestSchema.safeParse(content);
  if (!parsed.success) throw invalid(MANIFEST_NAME, "not a manifest");
  const manifest = parsed.data;
  if (manifest.checksum !== checksumOf(manifest.files, manifest.skipped)) {
    throw invalid(MANIFEST_NAME, "changed: its checksum does not match");
  }
  return manifest;
}

/**
 * Proves every file of a backup, the store's inner order too.
 * @throws MemspoolError BACKUP_INVALID naming the first file that is not as it was written
 */
export async function checkFiles(
  fs: DurableFs,
  directory: string,
  manifest: BackupManifest,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const { files } = manifest;
  for (const [at, file] of files.entries()) {
    onProgress(at, files.length);
    await checkFile(fs, join(directory, file.path), file);
  }
  if (files.some(({ path }) => path === STORE_PATH)) {
    const damage = await damageOfStoreCopy(join(directory, STORE_PATH));
    if (damage !== undefined) throw invalid(STORE_PATH, `damaged: ${damage}`);
  }
  onProgress(files.length, files.length);
}

async function checkFile(fs: DurableFs, path: string, expected: BackupFile): Promise<void> {
  let found: Awaited<ReturnType<typeof measureFile>>;
  try {
    found = await measureFile(fs, path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    throw invalid(expected.path, errno === "ENOENT" ? "missing" : `not readable (${errno})`, error);
  }
  refuseDifference(expected, found);
}

/** @throws MemspoolError BACKUP_INVALID if what was read is not what was backed up */
export function refuseDifference(
  expected: BackupFile,
  found: { readonly bytes: number; readonly sha256: string },
): void {
  if (found.bytes !== expected.bytes) {
    throw invalid(expected.path, `${found.bytes} bytes long instead of ${expected.bytes}`);
  }
  if (found.sha256 !== expected.sha256) throw invalid(expected.path, "changed: its hash differs");
}

export function invalid(file: string, what: string, cause?: unknown): MemspoolError {
  return new MemspoolError(
    "BACKUP_INVALID",
    `The backup can not be used: ${file} is ${what}. Use another backup.`,
    { details: { file }, ...(cause === undefined ? {} : { cause }) },
  );
}

function noBackup(directory: string, cause: unknown): MemspoolError {
  return new MemspoolError(
    "BACKUP_INVALID",
    `${directory} is no whole backup: it has no ${MANIFEST_NAME}. Name a directory that memspool ` +
      "backup has made.",
    { details: { file: MANIFEST_NAME, path: directory }, cause },
  );
}

function checksumOf(files: readonly BackupFile[], skipped: readonly SkippedFile[]): string {
  const listed = [
    files.map(({ path, bytes, sha256 }) => [path, bytes, sha256]),
    skipped.map(({ path, reason }) => [path, reason]),
  ];
  return createHash("sha256").update(JSON.stringify(listed)).digest("hex");
}
