/** The doctor ends in time, whatever hangs: a bound of the product, so it is measured here. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { describe, expect, it, onTestFinished } from "vitest";
import type { HealthReport } from "../../src/memory/memory.ts";
import { BUILT_ENTRY, runBuilt } from "../support/built-program.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { needStrace } from "../support/strace.ts";

const END_MS_MAX = 15_000;

interface Ended {
  readonly exitCode: number;
  readonly ms: number;
  readonly report: HealthReport;
}

/** @param inject what strace does to calls on the file: a disk that does not answer */
async function doctorWhile(home: string, file: string, inject: string): Promise<Ended> {
  const [call = ""] = inject.split(":");
  const startedMs = performance.now();
  const child: ChildProcess = spawn(
    "strace",
    ["-f", "-qq", "-o", "/dev/null", "-P", file, "-e", `trace=${call}`, "-e", `inject=${inject}`]
      // strace itself waits for a call that it holds up; the shell says when the doctor has ended.
      .concat(["--", "sh", "-c", '"$0" "$@"; echo "exit $?"'])
      .concat([process.execPath, BUILT_ENTRY, "doctor", "--json"]),
    {
      env: { PATH: process.env.PATH, MEMSPOOL_HOME: home, UV_USE_IO_URING: "0" },
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    },
  );
  onTestFinished(() => {
    // strace waits for all that it traces: the process that hangs goes with its group.
    endGroup(child);
  });
  const text = await new Promise<string>((resolve, reject) => {
    let seen = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      seen += chunk.toString("utf8");
      if (/^exit \d+$/m.test(seen)) resolve(seen);
    });
    child.once("close", () => reject(new Error(`ended early: ${seen}`)));
  });
  const ms = performance.now() - startedMs;
  const [report = "", end = ""] = text.split("\n");
  return { exitCode: Number(end.slice("exit ".length)), ms, report: JSON.parse(report) };
}

/** Its own group alone: it was started as the leader of one. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined || pid <= 1) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // all of it has ended
  }
}

async function withStore(): Promise<string> {
  const home = freshDirectory();
  await runBuilt(["capture", "kept"], { home });
  await runBuilt(["drain"], { home });
  return home;
}

describe("while something hangs", () => {
  it("H1: a store whose disk does not answer: degraded, in less than 15 s", async (context) => {
    needStrace(context);
    const home = await withStore();
    const file = join(home, "store", "memspool.db");
    const { exitCode, ms, report } = await doctorWhile(home, file, "pread64:delay_enter=100s");
    expect(report.checks.find(({ name }) => name === "store")).toMatchObject({
      status: "degraded",
      detail: "no answer within 8 s",
    });
    expect(report.checks.find(({ name }) => name === "write and fsync")?.status).toBe("ok");
    expect(exitCode).toBe(1);
    expect(ms).toBeLessThan(END_MS_MAX);
  });

  it("H1: a queue directory whose disk does not answer: failing, in less than 15 s", async (context) => {
    needStrace(context);
    const home = await withStore();
    const inject = "fsync:delay_enter=100s";
    const { exitCode, ms, report } = await doctorWhile(home, join(home, "queue"), inject);
    expect(report.checks.find(({ name }) => name === "write and fsync")).toMatchObject({
      status: "failing",
      detail: "no answer within 8 s",
    });
    expect(exitCode).toBe(2);
    expect(ms).toBeLessThan(END_MS_MAX);
  });

  it("H1: a settings file that does not answer holds up even the first look", async (context) => {
    needStrace(context);
    const home = await withStore();
    const file = join(home, "config.json");
    await runBuilt(["status"], { home });
    const { ms, report } = await doctorWhile(home, file, "openat:delay_enter=100s");
    expect(report.checks[0]).toMatchObject({ name: "configuration", status: "failing" });
    expect(ms).toBeLessThan(END_MS_MAX);
  });
});

describe("the process that does the checks", () => {
  it("H1: a whole doctor gives the same with it and without it", async () => {
    const home = await withStore();
    const names = async (...argv: string[]) => {
      const { stdout, exitCode } = await runBuilt(["doctor", "--json", ...argv], { home });
      const { checks } = JSON.parse(stdout.toString("utf8")) as HealthReport;
      return [exitCode, ...checks.map(({ name, status }) => `${name}: ${status}`)];
    };
    expect(await names()).toEqual(await names("--here"));
    const { stdout } = await runBuilt(["doctor", "--help"], { home });
    expect(stdout.toString("utf8")).not.toContain("--here");
  });

  it("H1: settings of the command line reach it", async () => {
    const home = await withStore();
    const elsewhere = `${home}-elsewhere`;
    renameSync(home, elsewhere);
    onTestFinished(() => renameSync(elsewhere, home));
    const { stdout } = await runBuilt(
      ["doctor", "--json", "--home", elsewhere, "--set", "ingest.pollMs=700"],
      { home },
    );
    const { checks } = JSON.parse(stdout.toString("utf8")) as HealthReport;
    expect(checks[0]?.detail).toBe("set: home (argument), ingest.pollMs (argument)");
    expect(checks.find(({ name }) => name === "store")?.status).toBe("ok");
    expect(existsSync(home)).toBe(false);
  });
});
