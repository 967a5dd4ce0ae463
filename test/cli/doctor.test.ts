import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import * as realApp from "../../src/app.ts";
import { MemspoolError } from "../../src/errors.ts";
import type { HealthReport } from "../../src/memory/memory.ts";
import { type FakeApp, fakeStatus, makeFakeApp } from "../support/fake-app.ts";
import { run } from "../support/run-program.ts";

let home: string;
let app: FakeApp;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "memspool-doctor-"));
  mkdirSync(join(home, "queue"), { mode: 0o700 });
  app = makeFakeApp();
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

async function doctor(env: Record<string, string> = {}) {
  const { exitCode, json } = await run(["doctor", "--json"], { home, app, env });
  const report = json() as HealthReport;
  const status = Object.fromEntries(report.checks.map((check) => [check.name, check.status]));
  return { exitCode, report, status };
}

/** The machine that tests run on may itself be short of space or on tmpfs. */
const OF_THIS_MACHINE = ["file system", "free space"];

it("H1: on a sound directory every check of ours is ok, one line each", async () => {
  const { report, status } = await doctor();
  expect(Object.keys(status)).toEqual([
    "configuration",
    "directory modes",
    "write and fsync",
    "file system",
    "free space",
    "alerts",
    "crashes",
    "store",
    "ingester",
    "backlog",
    "quarantine",
    "forgetting",
    "spool",
    "memory",
    "pace",
    "hooks",
  ]);
  const ours = report.checks.filter(({ name }) => !OF_THIS_MACHINE.includes(name));
  expect(new Set(ours.map((check) => check.status))).toEqual(new Set(["ok"]));
  const { stdout } = await run(["doctor"], { home, app });
  for (const { name } of report.checks)
    expect(stdout.match(new RegExp(` ${name} `, "g"))).toHaveLength(1);
  expect(app.closed).toBe(2);
});

it("H1: exits with 1 when degraded, and says what to do", async () => {
  app.memory.status = async () =>
    fakeStatus({
      queue: { ...fakeStatus().queue, quarantined: 3 },
    });
  const { exitCode, status } = await doctor();
  expect(status.quarantine).toBe("degraded");
  expect(exitCode).toBe(Object.values(status).includes("failing") ? 2 : 1);
  const { stdout } = await run(["doctor"], { home, app });
  expect(stdout).toContain("memspool quarantine list");
});

it("H1: a bad setting is a finding, exit code 2, and the directory is still looked at", async () => {
  const { exitCode, report, status } = await doctor({ MEMSPOOL_INGEST_POLL_MS: "soon" });
  expect(exitCode).toBe(2);
  expect(report.checks[0]?.detail).toContain("ingest.pollMs");
  expect(status["write and fsync"]).toBe("ok");
  expect(status.store).toBeUndefined();
});

it("H1: free space is judged by the limits of the settings", async () => {
  // No test runs on a disk with more.
  const { report } = await doctor({ MEMSPOOL_SPOOL_FREE_MB_MIN: "1000000" });
  expect(report.checks.find(({ name }) => name === "free space")).toMatchObject({
    status: "failing",
    advice: expect.stringContaining("1000000 MiB"),
  });
});

it("H1: shows the names of settings that are set, never their values", async () => {
  writeFileSync(join(home, "config.json"), '{"project": "hush-hush"}', { mode: 0o600 });
  const { report } = await doctor();
  expect(report.checks[0]?.detail).toBe("set: home (environment), project (file)");
  expect(JSON.stringify(report)).not.toContain("hush-hush");
});

it("H1: an unusable name of the data directory leaves one finding", async () => {
  const { report, exitCode } = await doctor({ MEMSPOOL_HOME: "" });
  expect(report.checks.map(({ name }) => name)).toEqual(["configuration"]);
  expect(exitCode).toBe(2);
});

it("H1: parts that can not be opened are findings with their code", async () => {
  app.createApp = async () => {
    throw new MemspoolError("DATA_DIR_UNUSABLE", "No. Go.");
  };
  const { exitCode, report, status } = await doctor();
  expect(exitCode).toBe(2);
  expect(status.store).toBe("failing");
  expect(report.checks.find(({ name }) => name === "store")?.detail).toContain("DATA_DIR_UNUSABLE");
});

it("H1: a health report that fails is the store's finding alone", async () => {
  app.memory.health = async () => {
    throw new MemspoolError("STORE_UNAVAILABLE", "Busy. Wait.");
  };
  const { status } = await doctor();
  expect([status.store, status.backlog]).toEqual(["failing", "ok"]);
});

it("X1: reports a data directory that others may read", async () => {
  chmodSync(home, 0o755);
  const { report, status } = await doctor();
  expect(status["directory modes"]).toBe("degraded");
  expect(report.checks[1]?.advice).toContain("chmod");
});

it("H1: leaves nothing behind in the queue directory", async () => {
  await doctor();
  expect(readdirSync(join(home, "queue"))).toEqual([]);
});

it("Q13: without a data directory nothing is opened or made", async () => {
  const absent = join(home, "absent");
  const { json } = await run(["doctor", "--json"], { home: absent, app });
  const { checks } = json() as HealthReport;
  expect(checks.map(({ name }) => name)).not.toContain("store");
  expect(app.configs).toEqual([]);
  expect(readdirSync(home)).toEqual(["queue"]);
});

it("H1: a detail that is a sentence of its own is ended once", async () => {
  app.memory.health = async () => ({
    status: "degraded",
    checks: [{ name: "store", status: "degraded", detail: "It is full.", advice: "Free space." }],
  });
  const { stdout } = await run(["doctor"], { home, app });
  expect(stdout).toContain("It is full. Free space.\n");
});

it("I8: a store that was removed is told, before and after a new one takes its place", async () => {
  const real = async (...argv: string[]) => run(argv, { home, app: realApp });
  const storeLine = async () => {
    const { checks } = (await real("doctor", "--json")).json() as HealthReport;
    return checks.find(({ name }) => name === "store");
  };
  for (const text of ["one", "two"]) await real("capture", text);
  expect(await storeLine()).toMatchObject({ status: "ok" });
  await real("drain");
  expect(await storeLine()).toMatchObject({ status: "ok" });
  rmSync(join(home, "store"), { recursive: true });
  expect(await storeLine()).toMatchObject({
    status: "degraded",
    detail: "the store is gone, and 2 of 2 acknowledged records that were looked for are nowhere",
  });
  await real("capture", "three");
  await real("drain");
  expect(await storeLine()).toMatchObject({
    status: "degraded",
    detail: "1 of 2 acknowledged records that were looked for are nowhere",
  });
  await real("rebuild");
  expect(await storeLine()).toMatchObject({ status: "ok" });
});
