/** P7: the memory limit and the CPU quota, from files as kernels write them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cgroupDirectories, type SystemRoots } from "../../src/pressure/cgroup-files.ts";
import { readCpuQuota } from "../../src/pressure/cpu-quota.ts";
import { leastLimit, readMemoryLimit } from "../../src/pressure/memory-limit.ts";
import { systemFiles } from "../support/system-files.ts";

const MIB = 1_048_576;
const OWN = { heapBytes: 4_000 * MIB, settingBytes: 0, totalBytes: 8_000 * MIB };
/** What cgroup v1 says for "none". */
const V1_NONE = "9223372036854771712\n";

async function limitOf(roots: SystemRoots, own: Partial<typeof OWN> = {}) {
  return readMemoryLimit(await cgroupDirectories(roots), { ...OWN, ...own });
}

async function quotaOf(roots: SystemRoots) {
  return readCpuQuota(await cgroupDirectories(roots));
}

const V2 = { "proc/self/cgroup": "0::/user.slice/app.scope\n" };
const V2_OWN = "sys/fs/cgroup/user.slice/app.scope";

describe("the memory limit", () => {
  it("P7: taking the first limit found instead of the least", async () => {
    const given = [
      { limitBytes: 900, source: "cgroup v2" },
      { limitBytes: 700, source: "cgroup v1" },
      { limitBytes: 500, source: "heap" },
      { limitBytes: 300, source: "setting" },
    ] as const;
    // Whichever source holds the least one, and in whatever order they are found.
    for (const [at, lowered] of given.entries()) {
      const least = { ...lowered, limitBytes: 100 };
      const all = given.map((limit, index) => (index === at ? least : limit));
      expect(leastLimit(all, 1_000)).toEqual(least);
      expect(leastLimit(all.toReversed(), 1_000)).toEqual(least);
    }
  });

  it("P7: is the least of cgroup v2, cgroup v1, V8's heap and the setting", async () => {
    const roots = systemFiles({
      "proc/self/cgroup": "4:memory:/app\n0::/app\n",
      "sys/fs/cgroup/unified/app/memory.max": `${600 * MIB}\n`,
      "sys/fs/cgroup/memory/app/memory.limit_in_bytes": `${500 * MIB}\n`,
    });
    expect(await limitOf(roots)).toEqual({ limitBytes: 500 * MIB, source: "cgroup v1" });
    expect(await limitOf(roots, { heapBytes: 400 * MIB })).toEqual({
      limitBytes: 400 * MIB,
      source: "heap",
    });
    expect(await limitOf(roots, { settingBytes: 300 * MIB })).toEqual({
      limitBytes: 300 * MIB,
      source: "setting",
    });
    roots.write("sys/fs/cgroup/unified/app/memory.max", `${200 * MIB}\n`);
    expect(await limitOf(roots, { settingBytes: 300 * MIB })).toEqual({
      limitBytes: 200 * MIB,
      source: "cgroup v2",
    });
  });

  it("P7: a cgroup above the own one limits it, too, up to the mount", async () => {
    for (const above of ["sys/fs/cgroup/user.slice", "sys/fs/cgroup"]) {
      const roots = systemFiles({
        ...V2,
        [`${V2_OWN}/memory.max`]: `${900 * MIB}\n`,
        [`${above}/memory.max`]: `${100 * MIB}\n`,
      });
      expect(await limitOf(roots)).toEqual({ limitBytes: 100 * MIB, source: "cgroup v2" });
    }
  });

  it("P7: in a container, where the path is / or does not exist below the mount", async () => {
    for (const path of ["/", "/docker/0123abcd", "/../../other.slice"]) {
      const v2 = systemFiles({
        "proc/self/cgroup": `0::${path}\n`,
        "sys/fs/cgroup/memory.max": `${256 * MIB}\n`,
        "other.slice/memory.max": "1\n",
        "sys/other.slice/memory.max": "1\n",
      });
      expect(await limitOf(v2)).toEqual({ limitBytes: 256 * MIB, source: "cgroup v2" });
      const v1 = systemFiles({
        "proc/self/cgroup": `11:cpu,cpuacct:${path}\n4:memory:${path}\n`,
        "sys/fs/cgroup/memory/memory.limit_in_bytes": `${256 * MIB}\n`,
      });
      expect(await limitOf(v1)).toEqual({ limitBytes: 256 * MIB, source: "cgroup v1" });
    }
  });

  it("P7: max, the whole memory or more, 2^60 and garbage are no limit", async () => {
    const texts = [
      ...[
        "max\n",
        `${OWN.totalBytes}\n`,
        `${2 ** 60}\n`,
        V1_NONE,
        "",
        "\n",
        "-1\n",
        "0\n",
        "12kB\n",
      ],
      ...["1e3\n", "0x10\n", "12 13\n", "NaN\n", "\0\0", "9".repeat(400)],
    ];
    for (const text of texts) {
      const roots = systemFiles({
        "proc/self/cgroup": "4:memory:/app\n0::/app\n",
        "sys/fs/cgroup/app/memory.max": text,
        "sys/fs/cgroup/memory/app/memory.limit_in_bytes": text,
      });
      const own = { heapBytes: OWN.totalBytes, settingBytes: 2 ** 60 };
      expect(await limitOf(roots, own), JSON.stringify(text)).toBeUndefined();
      // One source of nonsense does not hide another's limit.
      expect(await limitOf(roots, { heapBytes: MIB })).toMatchObject({ source: "heap" });
    }
  });

  it("P7: missing, unreadable and damaged files are no limit, and no failure", async () => {
    expect(await limitOf({ proc: "/nowhere", sys: "/nowhere" })).toMatchObject({ source: "heap" });
    const roots = systemFiles({ "proc/self/cgroup": "garbage\n::\n0:\n4:memory\n\0" });
    mkdirSync(join(roots.sys, "fs/cgroup/memory.max"), { recursive: true });
    expect(await limitOf(roots)).toMatchObject({ source: "heap" });
    const deep = systemFiles({ "proc/self/cgroup": `0::${"/a".repeat(2_000)}\n` });
    expect(await limitOf(deep)).toMatchObject({ source: "heap" });
  });

  it("P7: this machine's own files are read without failure", async () => {
    const limit = await limitOf({ proc: "/proc", sys: "/sys" });
    expect(limit?.limitBytes ?? 1).toBeGreaterThan(0);
  });
});

describe("the CPU quota", () => {
  it("P7: is the least of cpu.max and of those above it; max is none", async () => {
    const roots = systemFiles({ ...V2, [`${V2_OWN}/cpu.max`]: "max 100000\n" });
    expect(await quotaOf(roots)).toBeUndefined();
    roots.write(`${V2_OWN}/cpu.max`, "150000 100000\n");
    expect(await quotaOf(roots)).toBe(1.5);
    roots.write("sys/fs/cgroup/user.slice/cpu.max", "50000 100000\n");
    expect(await quotaOf(roots)).toBe(0.5);
  });

  it("P7: of cgroup v1 it is quota over period; -1 is none", async () => {
    const own = "sys/fs/cgroup/cpu/app";
    const roots = systemFiles({
      "proc/self/cgroup": "1:cpu:/app\n",
      [`${own}/cpu.cfs_quota_us`]: "-1\n",
      [`${own}/cpu.cfs_period_us`]: "100000\n",
    });
    expect(await quotaOf(roots)).toBeUndefined();
    roots.write(`${own}/cpu.cfs_quota_us`, "25000\n");
    expect(await quotaOf(roots)).toBe(0.25);
  });

  it("P7: garbage is no quota", async () => {
    for (const text of ["", "max", "1", "0 100000", "5 0", "x y", "1 2 3", "-5 100000"]) {
      const roots = systemFiles({ ...V2, [`${V2_OWN}/cpu.max`]: text });
      expect(await quotaOf(roots), text).toBeUndefined();
    }
  });
});
