/** What is thrown in a real server and caught by nobody: nothing acknowledged is lost, and it is told. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { crashReportName } from "../../src/events/crash-files.ts";
import type { CrashReport } from "../../src/events/crash-report.ts";
import { runBuilt } from "../support/built-program.ts";
import type { Acknowledgement } from "../support/capturing-server.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { callTool } from "../support/mcp-client.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { damage, NO_DAMAGE, storedRows } from "../support/stored-truth.ts";

const SECRET = "xyzzy-plugh";
const IN_FLIGHT = 32;
const ACKNOWLEDGED_MIN = 100;
const PRELOAD = `--import=${resolve("test/support/throw-later.mjs")}`;

async function throwingServer(home: string, way: string): Promise<ServerProcess> {
  const server = await startServer({
    home,
    env: { NODE_OPTIONS: PRELOAD, THROW_LATER: way, THROWN_TEXT: SECRET },
  });
  onTestFinished(() => void server.child.kill("SIGKILL"));
  return server;
}

/** Keeps 32 captures in flight until the server is gone; throws in it once many are acknowledged. */
async function crashUnderLoad(server: ServerProcess): Promise<Acknowledgement[]> {
  const acknowledged: Acknowledgement[] = [];
  let count = 0;
  const captureOn = async () => {
    for (;;) {
      const surface = `${SECRET} ${++count}`;
      const answer = await callTool(server.client, "memory_capture", { surface });
      if (answer.isError) throw new Error(answer.text);
      acknowledged.push({ ulid: String(answer.structured.ulid), surface });
      if (acknowledged.length === ACKNOWLEDGED_MIN) server.child.kill("SIGUSR2");
    }
  };
  await Promise.allSettled(Array.from({ length: IN_FLIGHT }, captureOn));
  return acknowledged;
}

function reportNames(home: string): string[] {
  return readdirSync(join(home, "crashes"));
}

function onlyReport(home: string): { report: CrashReport; text: string; path: string } {
  const names = reportNames(home);
  expect(names).toHaveLength(1);
  const path = join(home, "crashes", names[0] as string);
  const text = readFileSync(path, "utf8");
  return { report: JSON.parse(text), text, path };
}

async function drained(home: string): Promise<void> {
  const { exitCode } = await runBuilt(["drain"], { home });
  expect(exitCode).toBe(0);
}

describe("a throw of the main thread", () => {
  it.each(["exception", "rejection"])(
    "P10: an uncaught %s with 32 captures in flight loses nothing acknowledged",
    async (way) => {
      const home = freshDirectory();
      const server = await throwingServer(home, way);
      const acknowledged = await crashUnderLoad(server);
      expect(await server.exited).toEqual({ code: 1, signal: null });
      expect(acknowledged.length).toBeGreaterThanOrEqual(ACKNOWLEDGED_MIN);
      const { report, text, path } = onlyReport(home);
      expect(report).toMatchObject({ thread: "main", fatal: true, pid: server.pid });
      expect(report.error).toMatchObject({ name: "SyntaxError", message: null });
      expect(report.error.frames[0]).toMatch(/^at JSON\.parse|^at parseText/);
      expect(report.error.frames.join()).toContain("throw-later.mjs");
      expect(report.signals.map(({ code }) => code)).toContain("STARTUP");
      expect(text).not.toContain(SECRET);
      expect(server.stderr()).not.toContain(SECRET);
      expect(server.stderr()).toContain('"event":"crash_reported"');
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(join(home, "crashes")).mode & 0o777).toBe(0o700);
      await drained(home);
      expect(damage(acknowledged, await storedRows(home))).toEqual(NO_DAMAGE);
    },
  );

  it("P10: a second crash within the minute ends the process too, and writes no second report", async () => {
    const home = freshDirectory();
    for (let run = 0; run < 2; run++) {
      const server = await throwingServer(home, "exception");
      server.child.kill("SIGUSR2");
      expect(await server.exited).toEqual({ code: 1, signal: null });
      expect(server.stderr()).toContain(run === 0 ? "Report: crashes/" : "of the last minute");
    }
    expect(reportNames(home)).toHaveLength(1);
  });

  it("P10: throws that follow the first neither stop the end nor write more", async () => {
    const home = freshDirectory();
    const server = await throwingServer(home, "again");
    server.child.kill("SIGUSR2");
    expect(await server.exited).toEqual({ code: 1, signal: null });
    onlyReport(home);
  });

  it("P10: ends although a thread is inside a native call that does not return", async () => {
    const home = freshDirectory();
    const server = await throwingServer(home, "stuck");
    await ingestedAfterCapture(server, "the ingester's thread runs");
    server.child.kill("SIGUSR2");
    expect(await server.exited).toEqual({ code: null, signal: "SIGKILL" });
    onlyReport(home);
  });

  it("P10: where no report can be written it says so without text, and ends all the same", async () => {
    const home = freshDirectory();
    writeFileSync(join(home, "crashes"), "no directory");
    const server = await throwingServer(home, "exception");
    server.child.kill("SIGUSR2");
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.stderr()).toContain("No report could be written (ENOTDIR).");
    expect(server.stderr()).not.toContain(SECRET);
  });

  it("X1: a symlink at crashes/ is not followed", async () => {
    const home = freshDirectory();
    const elsewhere = freshDirectory();
    symlinkSync(elsewhere, join(home, "crashes"));
    const server = await throwingServer(home, "exception");
    server.child.kill("SIGUSR2");
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("P10: ten reports are kept, the newest", async () => {
    const home = freshDirectory();
    mkdirSync(join(home, "crashes"));
    const old = Array.from({ length: 12 }, (_, hour) => crashReportName(hour * 3_600_000, 1));
    for (const name of old) writeFileSync(join(home, "crashes", name), "{}");
    const server = await throwingServer(home, "exception");
    server.child.kill("SIGUSR2");
    await server.exited;
    const names = reportNames(home).sort();
    expect(names).toHaveLength(10);
    expect(names.slice(0, 9)).toEqual(old.slice(3));
  });
});

describe("a throw of a worker thread", () => {
  it.each(["ingester", "store"])(
    "P10: of the %s is reported, and the next worker goes on",
    async (thread) => {
      const home = freshDirectory();
      const server = await throwingServer(home, thread);
      const first = await ingestedAfterCapture(server, `${SECRET} before`);
      const ended = whenSaid(server, "is started again");
      server.child.kill("SIGUSR2");
      await ended;
      const second = await ingestedAfterCapture(server, `${SECRET} behind`);
      expect([first, second]).toEqual(["ingested", "ingested"]);
      const { report, text } = onlyReport(home);
      expect(report).toMatchObject({ thread, fatal: false, error: { name: "SyntaxError" } });
      expect(text + server.stderr()).not.toContain(SECRET);
      expect(await server.close()).toEqual({ code: 0, signal: null });
    },
  );
});

/** A flush waits until the record is in the store. */
async function ingestedAfterCapture(server: ServerProcess, surface: string): Promise<unknown> {
  const { ulid } = (await callTool(server.client, "memory_capture", { surface })).structured;
  await callTool(server.client, "queue_flush", { timeout_ms: 30_000 });
  return (await callTool(server.client, "memory_receipt", { ulid })).structured.state;
}

function whenSaid(server: ServerProcess, words: string): Promise<void> {
  return new Promise((done) => {
    server.child.stderr?.on("data", () => {
      if (server.stderr().includes(words)) done();
    });
  });
}
