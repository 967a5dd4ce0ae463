/** The built program as a process of its own, spoken to through a real MCP client. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { ReadBuffer, serializeMessage } from "@modelcontextprotocol/sdk/shared/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";

/** Built by `npm run build` before the tests run. */
export const MAIN = resolve("dist/main.js");

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerProcess {
  readonly client: Client;
  readonly child: ChildProcess;
  readonly pid: number;
  /** What the process wrote to stderr so far. */
  readonly stderr: () => string;
  readonly exited: Promise<Exit>;
  /** Sends the signal and waits for the process to be gone. */
  readonly kill: (signal: NodeJS.Signals) => Promise<Exit>;
  /** Ends stdin, as a client does, and waits for the process to be gone. */
  readonly close: () => Promise<Exit>;
}

export interface StartOptions {
  /** The data directory. */
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** A directory of its own below the system's temporary one. */
export function freshHome(): { home: string; remove: () => void } {
  const home = mkdtempSync(join(tmpdir(), "memspool-test-"));
  return { home, remove: () => rmSync(home, { recursive: true, force: true }) };
}

/** Starts `memspool serve` without speaking to it. */
export function spawnServer({ home, env = {}, args = [] }: StartOptions): ChildProcess {
  return spawn(process.execPath, [MAIN, "serve", ...args], {
    env: { PATH: process.env.PATH ?? "", ...env, MEMSPOOL_HOME: home },
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** Starts `memspool serve` and initialises a session with it. */
export async function startServer(options: StartOptions): Promise<ServerProcess> {
  const child = spawnServer(options);
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  const exited = exitOf(child);
  const client = new Client({ name: "memspool-test", version: "0.0.0" });
  await client.connect(new ChildTransport(child));
  return {
    client,
    child,
    pid: child.pid as number,
    stderr: () => stderr,
    exited,
    kill: (signal) => {
      child.kill(signal);
      return exited;
    },
    close: () => {
      child.stdin?.end();
      return exited;
    },
  };
}

export async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = await once(child, "exit");
  return { code, signal };
}

/** The SDK's own client transport waits, kills and hides its child; a test needs it bare. */
class ChildTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #child: ChildProcess;
  readonly #buffer = new ReadBuffer();

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  async start(): Promise<void> {
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#buffer.append(chunk);
      this.#readMessages();
    });
    // A server that was killed leaves a pipe that breaks on the next write.
    this.#child.stdin?.on("error", (error) => this.onerror?.(error));
    this.#child.on("exit", () => this.onclose?.());
  }

  async send(message: JSONRPCMessage): Promise<void> {
    this.#child.stdin?.write(serializeMessage(message));
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    this.onclose?.();
  }

  #readMessages(): void {
    for (;;) {
      try {
        const message = this.#buffer.readMessage();
        if (message === null) return;
        this.onmessage?.(message);
      } catch (error) {
        // An answer without an id, say: not a message to this client, which goes on behind it.
        this.onerror?.(error as Error);
      }
    }
  }
}
