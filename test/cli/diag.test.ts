import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Diagnosis, diagnose } from "../../src/app/diagnose.ts";
import { foundLimits } from "../../src/app/found-limits.ts";
import * as realApp from "../../src/app.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { fakeStatus } from "../support/fake-app.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { run } from "../support/run-program.ts";

const MIB = 1_048_576;
/** One more than are shown; sizes of two are equal. */
const SIZES = [300, 4_000, 20, 4_000, 50_000, 7] as const;
const names = SIZES.map((_, n) => `2026010${n}-09-writer${n}.ndjson.gz`);

/** A data directory with done files of these sizes, and others that are none. */
function withDoneFiles(): string {
  const home = freshDirectory();
  const done = join(home, "queue", "done");
  mkdirSync(done, { recursive: true, mode: 0o700 });
  SIZES.forEach((size, n) => void writeFileSync(join(done, names[n] ?? ""), Buffer.alloc(size)));
  writeFileSync(join(done, "notes.txt"), Buffer.alloc(90_000));
  mkdirSync(join(done, "20260109-09-directory.ndjson.gz"));
  return home;
}

const diag = (home: string, ...argv: string[]) =>
  run(["diag", ...argv], { home, app: realApp, env: { MEMSPOOL_SPOOL_FREE_MB_MIN: "0" } });

it("P5: diag of an empty data directory prints the quota block, unindented, and makes nothing", async () => {
  const home = join(freshDirectory(), "none yet");
  const { exitCode, stdout } = await diag(home);
  expect(exitCode).toBe(0);
  expect(stdout.split("\n").slice(0, 4)).toEqual([
    "Quota:",
    "Usage: 0MB / 512MB (normal)",
    "Thresholds: 90% soft, 100% hard",
    "",
  ]);
  expect(readdirSync(join(home, ".."))).toEqual([]);
});

it("P5: diag prints the five largest done files by file name and size, no directory", async () => {
  const home = withDoneFiles();
  const { stdout } = await diag(home);
  expect(stdout.split("\n").slice(3, 9)).toEqual([
    `${names[4]} 50000 bytes`,
    `${names[1]} 4000 bytes`,
    `${names[3]} 4000 bytes`,
    `${names[0]} 300 bytes`,
    `${names[2]} 20 bytes`,
    "",
  ]);
  expect(stdout).not.toContain(home);
  expect(stdout).not.toContain("done/");
  expect(stdout).toContain("Done: 6 files, 57.0 KiB, ");
});

it("P5: diag has the settings' limits and what the disk holds, rounded down", async () => {
  const home = withDoneFiles();
  writeFileSync(join(home, "queue", "done", names[5] ?? ""), Buffer.alloc(3 * MIB - 60_000));
  const settings = ["quotaMb=3", "softPct=50", "hardPct=97"];
  const { stdout } = await diag(home, ...settings.flatMap((each) => ["--set", `spool.${each}`]));
  expect(stdout.split("\n").slice(1, 3)).toEqual([
    "Usage: 2MB / 3MB (hard)",
    "Thresholds: 50% soft, 97% hard",
  ]);
  expect(stdout).toContain("\nState: failing\n");
});

it("P5: --json has the block of the status, the files, counts, limits and versions", async () => {
  const home = withDoneFiles();
  const secret = "Zaubernuss";
  await run(["capture", secret, "--session", secret], { home, app: realApp });
  const diagnosis = (await diag(home, "--json")).json() as Diagnosis;
  const status = (await run(["status", "--json"], { home, app: realApp })).json();
  expect(diagnosis.spool).toEqual((status as Diagnosis).spool);
  expect(diagnosis).toMatchObject({
    largest_done: [{ name: names[4], bytes: 50_000 }, {}, {}, {}, {}],
    done_files: 6,
    spool_bytes: { done: 58_327, pending: expect.any(Number), temp: expect.any(Number) },
    counts: { pending: 1, spilled: 0, quarantined: 0, forgetting: 0 },
    store: { state: "unopened" },
    runtime: { memspool: MEMSPOOL_VERSION, node: process.version, platform: process.platform },
  });
  expect(JSON.stringify(diagnosis)).not.toMatch(/zaubernuss/i);
  expect(JSON.stringify(diagnosis)).not.toContain(home);
});

it("P7: diag says which limits it found, and where", async () => {
  const root = freshDirectory();
  const write = (path: string, text: string) => {
    const whole = join(root, path);
    mkdirSync(join(whole, ".."), { recursive: true });
    writeFileSync(whole, text);
  };
  const parts = {
    fs: nodeDurableFs,
    doneDir: join(root, "none"),
    found: () =>
      foundLimits({ "memory.limitBytes": 0 }, { proc: join(root, "proc"), sys: join(root, "sys") }),
    status: async () => fakeStatus(),
  };
  const bare = await diagnose(parts);
  expect(bare.limits).toMatchObject({ memory_source: "heap", cpu_quota: null });
  expect(bare.stalls.known).toBe(false);
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", `${64 * MIB}\n`);
  write("sys/fs/cgroup/cpu.max", "50000 100000\n");
  for (const resource of ["cpu", "memory", "io"]) {
    write(`proc/pressure/${resource}`, "some avg10=1.50 avg60=0.00 avg300=0.00 total=0\n");
  }
  const limited = await diagnose(parts);
  expect(limited.limits).toMatchObject({
    memory_bytes: 64 * MIB,
    memory_source: "cgroup v2",
    cpu_quota: 0.5,
  });
  expect(limited.stalls).toEqual({ known: true, cpu: 1.5, memory: 1.5, io: 1.5 });
});
