/**
 * What kind of file system the data directory is on. The promise needs one that keeps what was
 * fsynced and knows hard links and locks; memory and network file systems may not.
 * Kinds are told apart on Linux alone, by the numbers of statfs(2).
 */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { HealthCheck } from "../memory/memory.ts";
import { degraded, ok } from "./check-result.ts";

type Nature = "disk" | "memory" | "network" | "foreign";

const KINDS: Readonly<Record<number, readonly [name: string, nature: Nature]>> = {
  61267: ["ext4", "disk"],
  1481003842: ["xfs", "disk"],
  2435016766: ["btrfs", "disk"],
  4076150800: ["f2fs", "disk"],
  801189825: ["zfs", "disk"],
  3393526350: ["bcachefs", "disk"],
  2035054128: ["overlay", "disk"],
  16914836: ["tmpfs", "memory"],
  2240043254: ["ramfs", "memory"],
  26985: ["nfs", "network"],
  4283649346: ["cifs", "network"],
  4266872130: ["smb", "network"],
  16914839: ["9p", "network"],
  12805120: ["ceph", "network"],
  198183888: ["lustre", "network"],
  1702057286: ["fuse", "network"],
  19780: ["vfat", "foreign"],
  538032816: ["exfat", "foreign"],
  1397118030: ["ntfs", "foreign"],
  1936094318: ["ntfs", "foreign"],
};

const ADVICE: Readonly<Record<Exclude<Nature, "disk">, string>> = {
  memory: "What is stored here is gone after a restart: point MEMSPOOL_HOME at a disk.",
  network: "Locks and fsync may not hold here: point MEMSPOOL_HOME at a local disk.",
  foreign: "Modes and hard links are missing here: point MEMSPOOL_HOME at a native file system.",
};

/** @param type `type` of statfs */
export function judgeFileSystem(type: number, platform: NodeJS.Platform): HealthCheck {
  const name = "file system";
  if (platform !== "linux") return ok(name, `not told apart on ${platform}`);
  const kind = KINDS[type >>> 0];
  if (kind === undefined) return ok(name, `of a kind not known here (0x${type.toString(16)})`);
  const [label, nature] = kind;
  if (label === "overlay") {
    return ok(name, "overlay: if this is a container, it goes with it; mount a volume to keep it");
  }
  if (nature === "disk") return ok(name, label);
  return degraded(name, `${label}, a ${nature} file system`, ADVICE[nature]);
}

export async function checkFileSystem(home: string): Promise<HealthCheck> {
  const { type } = await statfsOfNearest(home);
  return judgeFileSystem(type, process.platform);
}

/** Of the path, or of the nearest directory above it that is there. */
export async function statfsOfNearest(path: string) {
  let at = path;
  for (;;) {
    try {
      return await statfs(at);
    } catch (error) {
      // ENOENT: not made yet, so the directory above tells where it will lie.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(at) === at) throw error;
      at = dirname(at);
    }
  }
}
