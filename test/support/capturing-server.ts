/** The built server as a process of its own, with a real MCP client on its stdin and stdout. */
import { utimesSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { onTestFinished } from "vitest";
import type { StatusReport } from "../../src/memory/memory.ts";
import { BUILT_ENTRY } from "./built-program.ts";

export interface Acknowledgement {
  readonly ulid: string;
  readonly surface: string;
}

export class ServerProcess {
  readonly pid: number;
  readonly #client: Client;
  readonly #gone: Promise<void>;

  private constructor(client: Client, transport: StdioClientTransport) {
    this.#client = client;
    this.pid = transport.pid ?? 0;
    this.#gone = new Promise((resolve) => {
      client.onclose = resolve;
    });
  }

  /** @param under a command that runs the program that it is given, such as one that limits it */
  static async start(
    home: string,
    env: Record<string, string> = {},
    under: readonly string[] = [],
  ): Promise<ServerProcess> {
    const [command = "", ...args] = [...under, process.execPath, BUILT_ENTRY, "serve"];
    const transport = new StdioClientTransport({
      command,
      args,
      env: {
        PATH: process.env.PATH ?? "",
        MEMSPOOL_HOME: home,
        MEMSPOOL_LOG_LEVEL: "silent",
        ...env,
      },
      stderr: "inherit",
    });
    const client = new Client({ name: "test", version: "0.0.0" });
    onTestFinished(() => client.close());
    await client.connect(transport);
    return new ServerProcess(client, transport);
  }

  /** The structured answer. @throws the tool's error, or that the connection is gone */
  async call<Answer>(name: string, args: Record<string, unknown> = {}): Promise<Answer> {
    const answer = await this.#client.callTool({ name, arguments: args });
    if (answer.isError) throw new Error(JSON.stringify(answer.structuredContent));
    return answer.structuredContent as Answer;
  }

  async capture(surface: string): Promise<Acknowledgement> {
    const { ulid } = await this.call<{ ulid: string }>("memory_capture", { surface });
    return { ulid, surface };
  }

  status(): Promise<StatusReport> {
    return this.call("queue_status");
  }

  async state(ulid: string): Promise<string> {
    return (await this.call<{ state: string }>("memory_receipt", { ulid })).state;
  }

  /** As a power cut is to the process; resolves when it is gone. */
  async kill(): Promise<void> {
    process.kill(this.pid, "SIGKILL");
    await this.#gone;
  }

  /** Ends its stdin, as a client does that leaves. */
  async leave(): Promise<void> {
    await this.#client.close();
  }
}

/**
 * Lets the time pass that a dead leader's lease has to lie still before it is taken over.
 * @returns whether there is a lease
 */
export function ageLease(home: string): boolean {
  try {
    utimesSync(join(home, "queue", "ingester", "lease.lock"), 1, 1);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return false;
  }
}

/** Numbers in [0, 1) that a seed fixes (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
