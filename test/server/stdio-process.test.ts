import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MESSAGE_BYTES_MAX } from "../../src/record/limits.ts";
import { TOOLS } from "../../src/tools/catalogue.ts";
import { callTool } from "../support/mcp-client.ts";
import {
  type Exit,
  exitOf,
  freshHome,
  MAIN,
  type ServerProcess,
  spawnServer,
  startServer,
} from "../support/server-process.ts";
import { INITIALIZE } from "../support/stdio-session.ts";

/** What the product promises; a process that is still there then has failed. */
const LEAVE_MS_MAX = 3_000;
const UNTIL_DEATH_POLL_MS = 10;

let home: string;
let remove: () => void;
/** Whatever a test started, so that nothing outlives it. */
let pids: number[];

beforeEach(() => {
  ({ home, remove } = freshHome());
  pids = [];
});
afterEach(() => {
  const left = pids.filter(isAlive);
  for (const pid of left) process.kill(pid, "SIGKILL");
  remove();
  expect(left).toEqual([]);
});

async function started(): Promise<ServerProcess> {
  const server = await startServer({ home });
  pids.push(server.pid);
  return server;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A child that nobody waited for yet is dead all the same.
  return !/^\d+ \(.*\) Z/.test(procStat(pid));
}

function procStat(pid: number): string {
  const path = `/proc/${pid}/stat`;
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

async function within<Result>(ms: number, work: Promise<Result>): Promise<Result | "too late"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"too late">((resolve) => {
    timer = setTimeout(resolve, ms, "too late");
  });
  const result = await Promise.race([work, late]);
  clearTimeout(timer);
  return result;
}

async function leavesBy(exit: Promise<Exit>): Promise<void> {
  expect(await within(LEAVE_MS_MAX, exit)).toEqual({ code: 0, signal: null });
}

/** The server's answers as they come, for messages that no client would send. */
function rawServer() {
  const child = spawnServer({ home });
  pids.push(child.pid as number);
  child.stderr?.resume();
  const answers: { id: unknown; error?: { code: number; message: string } }[] = [];
  let partial = "";
  let look = () => {};
  child.stdout?.on("data", (chunk: Buffer) => {
    const lines = (partial + chunk.toString("utf8")).split("\n");
    partial = lines.pop() ?? "";
    for (const line of lines) answers.push(JSON.parse(line));
    look();
  });
  const answerTo = (id: unknown) =>
    new Promise<(typeof answers)[number]>((resolve) => {
      look = () => {
        const found = answers.find((answer) => answer.id === id);
        if (found !== undefined) resolve(found);
      };
      look();
    });
  const send = (message: object) => child.stdin?.write(`${JSON.stringify(message)}\n`);
  return { child, answers, answerTo, send, exited: exitOf(child) };
}

describe("a server process", () => {
  it("I2: answers a real client over the SDK's own transport", async () => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [MAIN],
      env: { MEMSPOOL_HOME: home },
      stderr: "ignore",
    });
    const client = new Client({ name: "test", version: "0.0.0" });
    await client.connect(transport);
    pids.push(transport.pid as number);
    expect((await client.listTools()).tools).toHaveLength(TOOLS.length);
    const { structured } = await callTool(client, "memory_capture", { surface: "first words" });
    expect(structured).toMatchObject({ state: "pending" });
    const { ulid } = structured as { ulid: string };
    const read = await callTool(client, "memory_get", { ulid });
    expect(read.structured).toMatchObject({ record: { ulid, surface: "first words" } });
    await client.close();
  });

  it("I2: initialize and tools/list open no store", async () => {
    const server = await started();
    await server.client.listTools();
    expect(existsSync(`${home}/store/memspool.db`)).toBe(false);
    await leavesBy(server.close());
  });

  it("X2: answers what is no message, and goes on", async () => {
    const { child, answerTo, answers, send, exited } = rawServer();
    child.stdin?.write("this is not JSON\n[]\n");
    send(INITIALIZE);
    await answerTo("init");
    expect(answers.map(({ id, error }) => [id, error?.code])).toEqual([
      [null, -32700],
      [null, -32600],
      ["init", undefined],
    ]);
    child.stdin?.end();
    await leavesBy(exited);
  });

  it("X2: survives 20 MB of garbage with flat memory", async () => {
    const { child, answerTo, send, exited } = rawServer();
    send(INITIALIZE);
    await answerTo("init");
    const before = residentBytes(child.pid as number);
    const garbage = Buffer.alloc(1_000_000);
    for (let at = 0; at < garbage.length; at++) garbage[at] = (at * 31 + (at >> 8)) & 0xff;
    for (let sent = 0; sent < 20; sent++) {
      if (child.stdin?.write(garbage) === false) await once(child.stdin, "drain");
    }
    child.stdin?.write("\n");
    send({ jsonrpc: "2.0", id: "after", method: "ping" });
    expect((await answerTo("after")).error).toBeUndefined();
    expect(residentBytes(child.pid as number) - before).toBeLessThan(100_000_000);
    child.stdin?.end();
    await leavesBy(exited);
  });

  it("X2: answers a message over the limit with an error for its id, and goes on", async () => {
    const server = await started();
    const surface = "x".repeat(MESSAGE_BYTES_MAX);
    await expect(
      server.client.callTool({ name: "memory_capture", arguments: { surface } }),
    ).rejects.toMatchObject({ code: -32600, message: expect.stringContaining("16777216 bytes") });
    const { isError } = await callTool(server.client, "memory_capture", { surface: "small" });
    expect(isError).toBe(false);
    await leavesBy(server.close());
  });

  it("X2: leaves cleanly when its stdout is closed", async () => {
    const server = await started();
    server.child.stdout?.destroy();
    server.child.stdin?.write('{"jsonrpc":"2.0","id":99,"method":"ping"}\n');
    await leavesBy(server.exited);
    expect(server.stderr()).not.toMatch(/EPIPE|Unhandled|uncaught/i);
  });
});

describe("leaving", () => {
  it("I7: within 3 s when stdin ends", async () => {
    const server = await started();
    await leavesBy(server.close());
  });

  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("I7: within 3 s on %s", async (signal) => {
    const server = await started();
    await callTool(server.client, "memory_capture", { surface: "acknowledged" });
    await leavesBy(server.kill(signal));
  });

  it("I7: a second signal changes nothing", async () => {
    const server = await started();
    server.child.kill("SIGTERM");
    server.child.kill("SIGINT");
    await leavesBy(server.kill("SIGTERM"));
  });

  it("I7: captures in flight at SIGTERM are answered or never were", async () => {
    const server = await started();
    const calls = Array.from({ length: 20 }, (_, index) =>
      callTool(server.client, "memory_capture", { surface: `in flight ${index}` }).then(
        ({ structured }) => structured.ulid as string,
        () => undefined,
      ),
    );
    await calls[0];
    await leavesBy(server.kill("SIGTERM"));
    const acknowledged = (await Promise.all(calls)).filter((ulid) => ulid !== undefined);
    expect(acknowledged.length).toBeGreaterThan(0);
    const again = await started();
    for (const ulid of acknowledged) {
      const { structured } = await callTool(again.client, "memory_receipt", { ulid });
      expect(["pending", "ingested"]).toContain(structured.state);
    }
    await leavesBy(again.close());
  });

  it("I7: within 3 s when the parent dies and stdin stays open", async () => {
    // A named pipe that this test holds open for writing never ends, whoever dies.
    const pipe = `${home}/stdin`;
    execFileSync("mkfifo", [pipe]);
    const stdin = openSync(pipe, "r+");
    const parent = spawn(
      process.execPath,
      [
        "-e",
        `const { spawn } = require("node:child_process");
         const child = spawn(process.execPath, [${JSON.stringify(MAIN)}, "serve"], {
           stdio: ["inherit", "inherit", "ignore"],
         });
         process.stderr.write(child.pid + "\\n");`,
      ],
      {
        stdio: [stdin, "pipe", "pipe"],
        env: { PATH: process.env.PATH ?? "", MEMSPOOL_HOME: home },
      },
    );
    if (parent.stdout === null || parent.stderr === null) throw new TypeError("pipes expected");
    const [line] = await once(parent.stderr, "data");
    const pid = Number(String(line).trim());
    pids.push(pid, parent.pid as number);
    writeSync(stdin, `${JSON.stringify(INITIALIZE)}\n`);
    await once(parent.stdout, "data");
    const parentGone = exitOf(parent);
    parent.kill("SIGKILL");
    await parentGone;
    expect(isAlive(pid)).toBe(true);
    expect(await within(LEAVE_MS_MAX, untilDead(pid))).toBe("dead");
    closeSync(stdin);
  });
});

async function untilDead(pid: number): Promise<"dead"> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, UNTIL_DEATH_POLL_MS));
  return "dead";
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}
