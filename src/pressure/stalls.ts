/**
 * Pressure stall information (PSI) of Linux: the share of time in which tasks waited for CPU,
 * memory or disk. docs.kernel.org/accounting/psi.html
 *
 * Guarantees: `some avg10` is a percentage from 0 to 100 and is kept as one. The process's own cgroup
 * is asked first (`memory.pressure`, of the unified hierarchy), for a container's stalls are its own;
 * where it has no such file, the whole system's /proc/pressure is. Never throws.
 * What counts as pressure is the greater of memory and io. Waiting for a CPU is measured and shown
 * but does not count: every compiler on the machine causes it, slowing the ingester would not help,
 * and where it harms this process, the event loop's delay says so.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../platform/errno.ts";
import type { CgroupDirectories, SystemRoots } from "./cgroup-files.ts";
import type { StallFacts } from "./pressure-facts.ts";

export const NO_STALLS: StallFacts = Object.freeze({ known: false, cpu: 0, memory: 0, io: 0 });

const RESOURCES = ["cpu", "memory", "io"] as const;

/** The errno says why nothing is known; `EBADMSG` is a text that is none of the kernel's. */
export type StallReading = { readonly stalls: StallFacts } | { readonly errno: string };

/** @param dirs of the process's cgroup; the nearest that has the files is read */
export async function readStalls(
  roots: SystemRoots,
  dirs: Pick<CgroupDirectories, "unified">,
): Promise<StallReading> {
  const readings = await Promise.all(
    RESOURCES.map((resource) =>
      firstReading([
        ...dirs.unified.map((dir) => join(dir, `${resource}.pressure`)),
        join(roots.proc, "pressure", resource),
      ]),
    ),
  );
  const [cpu, memory, io] = readings.map((reading) => (typeof reading === "number" ? reading : 0));
  if (readings.some((reading) => typeof reading === "number")) {
    return { stalls: { known: true, cpu: cpu ?? 0, memory: memory ?? 0, io: io ?? 0 } };
  }
  return { errno: String(readings[0]) };
}

/** What of it is pressure, in percent of time. */
export function stallPct({ memory, io }: StallFacts): number {
  return Math.max(memory, io);
}

/** `some avg10=1.23 avg60=… total=…` → 1.23; undefined for anything else. */
export function someAvg10(text: string): number | undefined {
  const [, digits] = /^some avg10=(\d{1,3}(?:\.\d{1,6})?) /m.exec(text) ?? [];
  const pct = Number(digits);
  return digits !== undefined && pct <= 100 ? pct : undefined;
}

/** Of the first file that has one; else the errno of the last. */
async function firstReading(paths: readonly string[]): Promise<number | string> {
  let errno = "ENOENT";
  for (const path of paths) {
    try {
      const pct = someAvg10(await readFile(path, "utf8"));
      if (pct !== undefined) return pct;
      errno = "EBADMSG";
    } catch (error) {
      errno = errnoOf(error) ?? "EIO";
    }
  }
  return errno;
}
