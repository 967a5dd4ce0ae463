/**
 * How much memory this process may use: the least of all limits that hold for it.
 *
 * Guarantees: never throws. Every source is read and the least is taken, wherever it stands: cgroup
 * v2 and v1 of the process and of all above it, V8's heap limit, the setting. What is no limit is
 * left out: `max`, the machine's whole memory or more (as 2^60, or 9223372036854771712 of v1), 0,
 * negative numbers, garbage, an empty or missing file. V8's limit holds for its heap alone, while
 * what is compared with it is the whole process (RSS): with it the process is judged more strictly
 * than V8 would, never less.
 */
import { join } from "node:path";
import { type CgroupDirectories, textIfThere } from "./cgroup-files.ts";
import type { LimitSource } from "./pressure-facts.ts";

export interface OwnLimits {
  /** `heap_size_limit` of V8. */
  readonly heapBytes: number;
  /** `memory.limitBytes`; 0 is none. */
  readonly settingBytes: number;
  /** Of the machine. */
  readonly totalBytes: number;
}

export interface MemoryLimit {
  readonly limitBytes: number;
  readonly source: LimitSource;
}

/** Undefined where nothing limits this process. */
export async function readMemoryLimit(
  dirs: Pick<CgroupDirectories, "unified" | "memoryV1">,
  own: OwnLimits,
): Promise<MemoryLimit | undefined> {
  const [v2, v1] = await Promise.all([
    readAll(dirs.unified, "memory.max"),
    readAll(dirs.memoryV1, "memory.limit_in_bytes"),
  ]);
  return leastLimit(
    [
      ...v2.map((limitBytes) => ({ limitBytes, source: "cgroup v2" as const })),
      ...v1.map((limitBytes) => ({ limitBytes, source: "cgroup v1" as const })),
      { limitBytes: own.heapBytes, source: "heap" },
      { limitBytes: own.settingBytes, source: "setting" },
    ],
    own.totalBytes,
  );
}

/** Pure. Of equal ones the first. */
export function leastLimit(
  limits: readonly MemoryLimit[],
  totalBytes: number,
): MemoryLimit | undefined {
  let least: MemoryLimit | undefined;
  for (const limit of limits) {
    const holds = limit.limitBytes > 0 && limit.limitBytes < totalBytes;
    if (holds && limit.limitBytes < (least?.limitBytes ?? Number.POSITIVE_INFINITY)) least = limit;
  }
  return least;
}

/** NaN for whatever is no plain number of bytes, `max` among it. */
function limitIn(text: string): number {
  const digits = text.trim();
  return /^\d{1,20}$/.test(digits) ? Number(digits) : Number.NaN;
}

async function readAll(dirs: readonly string[], name: string): Promise<number[]> {
  const texts = await Promise.all(dirs.map((dir) => textIfThere(join(dir, name))));
  return texts.flatMap((text) => (text === undefined ? [] : [limitIn(text)]));
}
