import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { bundled } from "../store/bundled.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

/** More lines than any pipe or socket holds. */
const MANY = "20000";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
}

/** Waits for the process; one that blocks is ended with the test. */
async function ended(child: ChildProcess): Promise<Ended> {
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("utf8");
  });
  const [code] = await once(child, "exit");
  return { code, stdout };
}

describe("logging to standard error", () => {
  it("L1: a client that never reads a socket does not make the process wait", async () => {
    const writer = await bundled("test/events/log-writer.ts");
    // Node gives its children sockets, not pipes; nobody reads this one.
    const child = spawn(process.execPath, [writer, MANY], { stdio: ["ignore", "pipe", "pipe"] });
    child.stderr?.pause();
    expect(await ended(child)).toEqual({ code: 0, stdout: "logged\n" });
  });

  it("L1: a client that never reads a pipe does not make the process wait", async () => {
    const writer = await bundled("test/events/log-writer.ts");
    const fifo = join(freshDirectory(), "stderr");
    execFileSync("mkfifo", [fifo]);
    const fd = openSync(fifo, constants.O_RDWR);
    onTestFinished(() => closeSync(fd));
    const child = spawn(process.execPath, [writer, MANY], { stdio: ["ignore", "pipe", fd] });
    expect(await ended(child)).toEqual({ code: 0, stdout: "logged\n" });
  });

  it("L1: a client that went away does not end the process", async () => {
    const writer = await bundled("test/events/log-writer.ts");
    const child = spawn(process.execPath, [writer, MANY], { stdio: ["ignore", "pipe", "pipe"] });
    child.stderr?.destroy();
    expect(await ended(child)).toEqual({ code: 0, stdout: "logged\n" });
  });

  it("L1: a client that reads gets the lines, on standard error alone", async () => {
    const writer = await bundled("test/events/log-writer.ts");
    const child = spawn(process.execPath, [writer, "100"], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
    });
    const closed = once(child, "close");
    expect(await ended(child)).toEqual({ code: 0, stdout: "logged\n" });
    await closed;
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(100);
    expect(lines[99]).toMatchObject({ event: "server_stopping", level: "info", pid: child.pid });
  });

  it("L1: a file takes every line", async () => {
    const writer = await bundled("test/events/log-writer.ts");
    const file = join(freshDirectory(), "stderr.log");
    const fd = openSync(file, "w");
    onTestFinished(() => closeSync(fd));
    const child = spawn(process.execPath, [writer, MANY], { stdio: ["ignore", "pipe", fd] });
    expect(await ended(child)).toEqual({ code: 0, stdout: "logged\n" });
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(20_000);
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ event: "server_stopping" });
  });
});
