/** A real MCP client connected to a server of ours inside this process. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import type { Memory } from "../../src/memory/memory.ts";
import { buildServer, type ServerParts } from "../../src/server/build-server.ts";

export interface Connected {
  readonly client: Client;
  readonly close: () => Promise<void>;
}

export async function connectClient(
  memory: Memory,
  parts: Partial<ServerParts> = {},
): Promise<Connected> {
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair();
  const server = buildServer({ memory, version: "0.0.0", ...parts });
  const client = new Client({ name: "test", version: "0.0.0" });
  await Promise.all([server.connect(serverSide), client.connect(clientSide)]);
  return { client, close: () => client.close() };
}

/** A tool's answer: the structured content, and the same read back from the text twin. */
export interface ToolOutcome {
  readonly structured: Record<string, unknown>;
  readonly twin: unknown;
  readonly text: string;
  readonly isError: boolean;
}

export async function callTool(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<ToolOutcome> {
  const result = await client.callTool({ name, arguments: args });
  const [first] = result.content as { type: string; text: string }[];
  const text = first?.text ?? "";
  return {
    structured: result.structuredContent as Record<string, unknown>,
    twin: JSON.parse(text),
    text,
    isError: result.isError === true,
  };
}
