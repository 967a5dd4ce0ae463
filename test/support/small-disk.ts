/** File systems that are really small or really strange, mounted for one test. */
import { spawnSync } from "node:child_process";
import { statfsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";
import { freshDirectory } from "./fresh-directory.ts";

/**
 * A tmpfs of its own, gone when the test ends. Skips the test, with the reason printed, where this
 * user may not mount.
 * @param options such as `size=64k` or `nr_inodes=8`
 * @returns where it is mounted
 */
export function smallDisk(context: TestContext, options: string): string {
  const directory = freshDirectory();
  mountOrSkip(context, ["-t", "tmpfs", "-o", options, "tmpfs", directory], directory);
  return directory;
}

/**
 * A FAT file system, which knows no hard links and no modes, on a loop device.
 * @returns where it is mounted
 */
export function fatDisk(context: TestContext): string {
  return loopDisk(context, 8, "vfat", ["mkfs.vfat"]);
}

/**
 * An ext4 of its own with a journal, on a loop device; nothing of it is reserved for the super-user.
 * @returns where it is mounted
 */
export function ext4Disk(context: TestContext, sizeMib: number): string {
  return loopDisk(context, sizeMib, "ext4", ["mkfs.ext4", "-q", "-F", "-m", "0"]);
}

function loopDisk(
  context: TestContext,
  sizeMib: number,
  type: string,
  [program, ...args]: [string, ...string[]],
): string {
  const image = join(freshDirectory(), "disk.img");
  writeFileSync(image, "");
  truncateSync(image, sizeMib * 1_048_576);
  const made = spawnSync(program, [...args, image], { encoding: "utf8" });
  if (made.status !== 0) skip(context, `${program} is not installed`);
  const directory = freshDirectory();
  mountOrSkip(context, ["-t", type, "-o", "loop", image, directory], directory);
  return directory;
}

/** A tmpfs that becomes read-only when told to. */
export function readOnlyDisk(context: TestContext): { disk: string; makeReadOnly: () => void } {
  const disk = smallDisk(context, "size=1m");
  const makeReadOnly = () => {
    const { status, stderr } = spawnSync("mount", ["-o", "remount,ro", disk], { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
  };
  return { disk, makeReadOnly };
}

function mountOrSkip(context: TestContext, args: readonly string[], directory: string): void {
  const { status, stderr, error } = spawnSync("mount", args, { encoding: "utf8" });
  if (error) skip(context, "mount is not installed");
  if (status !== 0) skip(context, `can not be mounted here: ${stderr.split("\n")[0]}`);
  onTestFinished(() => {
    spawnSync("umount", ["-l", directory]);
  });
}

/** A missing program fails in CI, where a skipped test would prove nothing. */
function skip(context: TestContext, reason: string): never {
  if (process.env.CI === "true" && reason.includes("installed")) throw new Error(reason);
  process.stderr.write(`skipped: ${context.task.name}: ${reason}\n`);
  return context.skip(reason);
}

/**
 * Fills what is free, down to nothing that a file could get; the file's removal gives it back. Some
 * file systems keep blocks for themselves that they count as free.
 */
export function fillDisk(directory: string): string {
  const filler = join(directory, "filler");
  const { bsize } = statfsSync(directory);
  for (;;) {
    const { bfree } = statfsSync(directory);
    if (bfree === 0) return filler;
    for (let blocks = bfree; ; blocks = Math.floor(blocks / 2)) {
      if (blocks === 0) return filler;
      if (writes(filler, Buffer.alloc(blocks * bsize, 1))) break;
    }
  }
}

/** @returns false if there is no room for all of it; what there was room for may have been written */
function writes(file: string, bytes: Buffer): boolean {
  try {
    writeFileSync(file, bytes, { flag: "a" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    return false;
  }
}
