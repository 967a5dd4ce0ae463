/**
 * Names in a directory, and sizes of files by their names. Reads no content, changes nothing.
 *
 * Guarantees: a directory that is not there holds nothing; only a regular file has a size, and one
 * that has left has none. Few calls are under way at once, and between such groups the thread is free
 * for others.
 */
import { join } from "node:path";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";

/** Calls under way at once. */
const GROUP = 32;

/** @throws the system error of a directory that is there */
export async function namesIn(fs: DurableFs, directory: string): Promise<string[]> {
  try {
    return await fs.names(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/**
 * In the order of the names; 0 for what has no size.
 * @throws the system error of a file that is there
 */
export async function sizesIn(
  fs: DurableFs,
  directory: string,
  names: readonly string[],
): Promise<number[]> {
  const sizes: number[] = [];
  for (let from = 0; from < names.length; from += GROUP) {
    const group = names.slice(from, from + GROUP);
    sizes.push(...(await Promise.all(group.map((name) => sizeOf(fs, join(directory, name))))));
  }
  return sizes;
}

export function sum(sizes: Iterable<number>): number {
  let total = 0;
  for (const bytes of sizes) total += bytes;
  return total;
}

async function sizeOf(fs: DurableFs, path: string): Promise<number> {
  try {
    const { kind, bytes } = await fs.facts(path);
    return kind === "file" ? bytes : 0;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return 0;
    throw error;
  }
}
