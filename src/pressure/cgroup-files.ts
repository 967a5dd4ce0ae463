/**
 * Where the kernel tells what this process may use: its cgroup's directories, and the small files
 * below /proc and /sys.
 *
 * Guarantees: never throws; what is missing, unreadable or garbage is as if it were not there. Gives
 * the process's own cgroup and every one above it up to the mount, because limits are hierarchical:
 * the least of them holds. Inside a container the path that /proc names may not exist below the
 * mount; then the mount's own files, which are the container's, are what remains. A path that would
 * lead out of the mount (`/../x`, as a cgroup namespace shows a process outside of it) is the mount.
 * Does not guarantee to find controllers that are mounted at unusual places.
 */
import { readFile } from "node:fs/promises";
import { join, normalize } from "node:path";

/** Roots of the kernel's file systems; a seam for tests. */
export interface SystemRoots {
  readonly proc: string;
  readonly sys: string;
}

export const systemRoots: SystemRoots = Object.freeze({ proc: "/proc", sys: "/sys" });

/** Directories of cgroups, the process's own first, the mount's last. */
export interface CgroupDirectories {
  readonly unified: readonly string[];
  readonly memoryV1: readonly string[];
  readonly cpuV1: readonly string[];
}

/** A path deeper than this is no cgroup's. */
const DEPTH_MAX = 64;

/** Below the root of sysfs: cgroup v2 alone, and beside v1 on a hybrid system. */
const UNIFIED_MOUNTS = ["fs/cgroup", "fs/cgroup/unified"];
const MEMORY_MOUNTS = ["fs/cgroup/memory"];
const CPU_MOUNTS = ["fs/cgroup/cpu", "fs/cgroup/cpu,cpuacct"];

/** The file's text; undefined if it can not be read, for whatever reason. */
export async function textIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined; // not there, not ours to read, or another kernel: no answer is no limit
  }
}

export async function cgroupDirectories(roots: SystemRoots): Promise<CgroupDirectories> {
  const paths = cgroupPaths((await textIfThere(join(roots.proc, "self", "cgroup"))) ?? "");
  const below = (mounts: readonly string[], path: string | undefined) =>
    mounts.flatMap((mount) => upwards(join(roots.sys, mount), path ?? "/"));
  return {
    unified: below(UNIFIED_MOUNTS, paths.unified),
    memoryV1: below(MEMORY_MOUNTS, paths.memory),
    cpuV1: below(CPU_MOUNTS, paths.cpu),
  };
}

/** `hierarchy:controllers:path` a line; the unified hierarchy is 0 and names no controller. */
function cgroupPaths(text: string): Partial<Record<"unified" | "memory" | "cpu", string>> {
  const paths: Partial<Record<"unified" | "memory" | "cpu", string>> = {};
  for (const line of text.split("\n")) {
    const [, hierarchy, controllers = "", path = "/"] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (hierarchy === "0" && controllers === "") paths.unified = path;
    const names = controllers.split(",");
    if (names.includes("memory")) paths.memory = path;
    if (names.includes("cpu")) paths.cpu = path;
  }
  return paths;
}

function upwards(mount: string, path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  const leadsOut = parts.includes("..") || parts.length > DEPTH_MAX;
  const inside = leadsOut ? [] : parts;
  const depths = Array.from({ length: inside.length + 1 }, (_, up) => inside.length - up);
  return depths.map((depth) => normalize(join(mount, ...inside.slice(0, depth))));
}
