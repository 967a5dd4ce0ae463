/**
 * One real server process with a real MCP client on its stdin and stdout.
 *
 * Guarantees: a call whose answer can no longer come rejects with {@link ConnectionLost}, any other
 * failure with the code that the server gave; after `close` the process is gone.
 */

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ERROR_CODES, type ErrorCode, MemspoolError } from "../errors.ts";

/** The server died or left before it answered: the outcome is not known. */
export class ConnectionLost extends Error {}

export interface DemoServerOptions {
  /** Absolute path of dist/main.js. */
  readonly entry: string;
  readonly home: string;
  readonly name: string;
}

const NO_REASON = { code: "INTERNAL", message: "The server gave no reason." } as const;
const CALL_MS_MAX = 30_000;
const STDERR_CHARS_MAX = 2_000;

export class DemoServer {
  readonly name: string;
  readonly #client: Client;
  readonly #transport: StdioClientTransport;
  readonly #pid: number;
  readonly #closed: Promise<void>;
  #lost = false;

  private constructor(name: string, client: Client, transport: StdioClientTransport) {
    this.name = name;
    this.#client = client;
    this.#transport = transport;
    this.#pid = transport.pid ?? 0;
    this.#closed = new Promise((resolve) => {
      client.onclose = () => {
        this.#lost = true;
        resolve();
      };
    });
  }

  static async start({ entry, home, name }: DemoServerOptions): Promise<DemoServer> {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [entry, "serve"],
      // The user's own settings must not reach into the demo, nor the demo into their directory.
      env: { MEMSPOOL_HOME: home, MEMSPOOL_LOG_LEVEL: "warning" },
      stderr: "pipe",
    });
    let complaint = "";
    transport.stderr?.on("data", (chunk: Buffer) => {
      complaint = (complaint + chunk.toString("utf8")).slice(-STDERR_CHARS_MAX);
    });
    const client = new Client({ name: "memspool-demo", version: MEMSPOOL_VERSION });
    try {
      await client.connect(transport, { timeout: CALL_MS_MAX });
    } catch (error) {
      await transport.close();
      const said = complaint.trim() === "" ? "" : `; it said: ${complaint.trim()}`;
      throw new MemspoolError("INTERNAL", `${name} did not start${said}`, { cause: error });
    }
    return new DemoServer(name, client, transport);
  }

  get pid(): number {
    return this.#pid;
  }

  async call<Answer>(tool: string, args: Record<string, unknown>): Promise<Answer> {
    const result = await this.#guard(
      this.#client.callTool({ name: tool, arguments: args }, undefined, { timeout: CALL_MS_MAX }),
    );
    const structured = result.structuredContent as
      | { error?: { code: ErrorCode; message: string } }
      | undefined;
    if (result.isError === true) {
      const { code, message } = structured?.error ?? NO_REASON;
      throw new MemspoolError(Object.hasOwn(ERROR_CODES, code) ? code : "INTERNAL", message);
    }
    return structured as Answer;
  }

  async resource<Content>(uri: string): Promise<Content> {
    const { contents } = await this.#guard(this.#client.readResource({ uri }));
    const [content] = contents;
    if (content === undefined || !("text" in content)) {
      throw new MemspoolError("INTERNAL", `${uri} is empty. Please report this.`);
    }
    return JSON.parse(content.text as string) as Content;
  }

  /** No warning, no clean-up: as a power cut is to the process. */
  kill(): void {
    process.kill(this.#pid, "SIGKILL");
  }

  /** Resolves when the process has gone. */
  gone(): Promise<void> {
    return this.#closed;
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#transport.close();
  }

  async #guard<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      // The client rejects what is outstanding while it closes, before or after onclose.
      if (this.#lost || isConnectionClosed(error)) throw new ConnectionLost(this.name);
      throw error;
    }
  }
}

/** JSON-RPC code of the SDK for a transport that closed under a request, or was never open. */
const CONNECTION_CLOSED = -32_000;

function isConnectionClosed(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === CONNECTION_CLOSED || code === "EPIPE" || message === "Not connected";
}
