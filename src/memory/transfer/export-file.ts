/**
 * A file that an export is written into.
 *
 * Guarantees: it gets its name only when it is whole and durable (temp file beside it → fsync → size
 * check → link or rename → directory fsync), 0600. A file that has the name already is never
 * overwritten unless told to, not even one that was made meanwhile. Killed before that, a hidden file
 * `.<name>.<hex>.partial` is left.
 */
import { randomBytes } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { MemspoolError } from "../../errors.ts";
import { type DurableFs, seal, syncDirectory, writeAll } from "../../platform/durable-fs.ts";
import { isErrno, NO_LINK_ERRNOS } from "../../platform/errno.ts";
import { writeFailed } from "../backup/write-failed.ts";
import type { ExportSink } from "./export.ts";

/**
 * Runs `fill` with a sink into the file, and keeps what it wrote if it did not throw.
 * @throws MemspoolError TARGET_EXISTS, DATA_DIR_UNUSABLE; what `fill` throws
 */
export async function intoFile<T>(
  fs: DurableFs,
  file: string,
  options: { readonly force: boolean },
  fill: (sink: ExportSink) => Promise<T>,
): Promise<T> {
  const path = resolve(file);
  // Also asked before the work, which may take long.
  if (!options.force && (await isThere(fs, path))) throw targetExists(path);
  const temp = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.partial`);
  const fd = await fs.openExclusive(temp).catch((error: unknown) => {
    throw writeFailed(error, path);
  });
  let isOpen = true;
  let bytes = 0;
  const write = async (text: string) => {
    const piece = Buffer.from(text, "utf8");
    await writeAll(fs, fd, piece).catch((error: unknown) => {
      throw writeFailed(error, path);
    });
    bytes += piece.length;
  };
  try {
    const result = await fill({ write });
    try {
      await seal(fs, fd, bytes);
      isOpen = false;
      await fs.close(fd);
      await giveName(fs, temp, path, options.force);
    } catch (error) {
      throw writeFailed(error, path);
    }
    return result;
  } catch (error) {
    if (isOpen) await fs.close(fd).catch(() => {}); // the first failure is the one to tell
    await fs.unlink(temp).catch(() => {}); // as above; its name says that it is not whole
    throw error;
  }
}

async function giveName(fs: DurableFs, temp: string, path: string, force: boolean): Promise<void> {
  if (force) {
    await fs.rename(temp, path);
  } else {
    try {
      await fs.link(temp, path);
      await fs.unlink(temp);
    } catch (error) {
      if (isErrno(error, "EEXIST")) throw targetExists(path);
      if (!isErrno(error, ...NO_LINK_ERRNOS)) throw error;
      if (await isThere(fs, path)) throw targetExists(path);
      await fs.rename(temp, path);
    }
  }
  await syncDirectory(fs, dirname(path));
}

async function isThere(fs: DurableFs, path: string): Promise<boolean> {
  try {
    await fs.facts(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw writeFailed(error, path);
  }
}

function targetExists(path: string): MemspoolError {
  return new MemspoolError(
    "TARGET_EXISTS",
    `${basename(path)} is there already. Nothing was changed; name another file, or replace it with ` +
      "--force.",
    { details: { path } },
  );
}
