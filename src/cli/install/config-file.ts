/**
 * Reads a client's file and puts another in its place.
 *
 * Guarantees of {@link replaceConfigFile}: whoever reads at any moment, and whoever looks after a
 * crash at any point, finds the whole old file or the whole new one, with its mode and owner. What
 * was there is kept beside it first. A file that changed since it was read is left alone. A symbolic
 * link stays one, and the file that it leads to is written.
 *
 * Not write-file-atomic: it takes a short write on a full disk for a whole one, and leaves no moment
 * between its last byte and its rename in which to look at the file once more. Not promised: another
 * program that writes between that look and the rename, which are one call apart, loses what it wrote.
 */
import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import {
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { changedMeanwhile, invalidConfig, unusableConfig } from "./config-errors.ts";

/** Clients keep state beside their settings, and tens of MiB of it have been seen. */
const CONFIG_BYTES_MAX = 128 * 1024 * 1024;
const BACKUP_COUNT_MAX = 5;
const NEW_FILE_MODE = 0o600;
const NEW_DIRECTORY_MODE = 0o700;
const BYTE_ORDER_MARK = "\ufeff";

export interface ConfigFile {
  /** As the client names it. */
  readonly path: string;
  /** The file itself, where the path is a link. */
  readonly target: string;
  /** Undefined if there is none. */
  readonly bytes: Buffer | undefined;
  /** Without byte order mark; empty if there is no file. */
  readonly text: string;
  readonly byteOrderMark: string;
  readonly stats: Stats | undefined;
}

/** Throws CLIENT_CONFIG_UNUSABLE, or CLIENT_CONFIG_INVALID if it is no text. */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const target = await linkTarget(path);
  const stats = await statsOf(path, target);
  if (stats === undefined) {
    return { path, target, bytes: undefined, text: "", byteOrderMark: "", stats };
  }
  if (stats.isDirectory()) throw unusableConfig(path, "is a directory and no file");
  if (!stats.isFile()) throw unusableConfig(path, "is no regular file");
  if (stats.size > CONFIG_BYTES_MAX) {
    throw unusableConfig(path, `is larger than ${CONFIG_BYTES_MAX} bytes`);
  }
  const bytes = await readFile(target).catch((error: unknown) => {
    throw unusableConfig(path, "can not be read", error);
  });
  const whole = decode(path, bytes);
  const byteOrderMark = whole.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : "";
  return { path, target, bytes, text: whole.slice(byteOrderMark.length), byteOrderMark, stats };
}

/**
 * @param text what it is to hold; undefined takes the file away
 * @param stamp part of the backup's name
 * @returns path of the backup; undefined if there was nothing to keep
 * Throws CLIENT_CONFIG_CHANGED and CLIENT_CONFIG_UNUSABLE; the file is then as it was.
 */
export async function replaceConfigFile(
  file: ConfigFile,
  text: string | undefined,
  stamp: string,
): Promise<string | undefined> {
  try {
    await mkdir(dirname(file.target), { recursive: true, mode: NEW_DIRECTORY_MODE });
    const backup = file.bytes && (await keep(file, file.bytes, stamp));
    if (text === undefined) await takeAway(file);
    else await putInPlace(file, Buffer.from(file.byteOrderMark + text, "utf8"));
    await dropOldBackups(file.target);
    return backup;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw unusableConfig(file.path, "can not be written, and was left as it was", error);
  }
}

/** Backups of this file, the newest first. */
export async function backupsOf(target: string): Promise<string[]> {
  const prefix = `${basename(target)}.memspool-backup-`;
  const names = await readdir(dirname(target)).catch(() => [] as string[]);
  return names
    .filter((name) => name.startsWith(prefix))
    .sort()
    .reverse()
    .map((name) => join(dirname(target), name));
}

async function linkTarget(path: string): Promise<string> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSymbolicLink() !== true) return path;
  return realpath(path).catch((error: unknown) => {
    throw unusableConfig(path, "is a symbolic link that leads to no file", error);
  });
}

async function statsOf(path: string, target: string): Promise<Stats | undefined> {
  try {
    return await stat(target);
  } catch (error) {
    // Neither it nor, perhaps, its directory is there yet.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unusableConfig(path, "can not be looked at", error);
  }
}

function decode(path: string, bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalidConfig(path, "it is not text in UTF-8");
  }
}

async function keep(file: ConfigFile, bytes: Buffer, stamp: string): Promise<string> {
  const first = `${file.target}.memspool-backup-${stamp}`;
  for (let at = 0; ; at++) {
    const backup = at === 0 ? first : `${first}-${at}`;
    try {
      await writeNew(backup, bytes, file.stats);
      return backup;
    } catch (error) {
      // Two in one millisecond: the next name.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || at >= BACKUP_COUNT_MAX) throw error;
    }
  }
}

async function putInPlace(file: ConfigFile, bytes: Buffer): Promise<void> {
  const { target } = file;
  const fresh = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await writeNew(fresh, bytes, file.stats);
    await assertUnchanged(file);
    if (file.bytes !== undefined) {
      await rename(fresh, target); // a crash before this leaves the old file, after it the new one
      return;
    }
    // Unlike rename, a link refuses where another program has just made the file.
    await link(fresh, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw changedMeanwhile(file.path);
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(error.code ?? ""))
        throw error;
      return rename(fresh, target); // no links here: the look above has to do
    });
  } finally {
    // ENOENT where it was renamed. Whatever else keeps it there does no harm.
    await unlink(fresh).catch(() => {});
  }
}

async function takeAway(file: ConfigFile): Promise<void> {
  await assertUnchanged(file);
  await unlink(file.target);
}

async function assertUnchanged(file: ConfigFile): Promise<void> {
  const now = await readFile(file.target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const same = now === undefined ? file.bytes === undefined : file.bytes?.equals(now) === true;
  if (!same) throw changedMeanwhile(file.path);
}

/** A new file with its bytes on disk, in the likeness of another. */
async function writeNew(path: string, bytes: Buffer, like: Stats | undefined): Promise<void> {
  const mode = like === undefined ? NEW_FILE_MODE : like.mode & 0o777;
  const handle = await open(path, "wx", NEW_FILE_MODE);
  try {
    await handle.writeFile(bytes);
    if (like !== undefined && like.uid !== process.geteuid?.() && process.platform !== "win32") {
      // Only root may give a file away; anybody else could not have replaced this one's owner either.
      await handle.chown(like.uid, like.gid).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EPERM") throw error;
      });
    }
    await handle.chmod(mode); // after chown, and against the umask
    await handle.sync();
  } catch (error) {
    await handle.close();
    await unlink(path).catch(() => {});
    throw error;
  }
  await handle.close();
}

async function dropOldBackups(target: string): Promise<void> {
  for (const old of (await backupsOf(target)).slice(BACKUP_COUNT_MAX)) {
    // It is only in the way: the next run tries again.
    await unlink(old).catch(() => {});
  }
}
