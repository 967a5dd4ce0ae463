import { describe, expect, it } from "vitest";
import { INSTRUCTIONS } from "../../src/server/instructions.ts";
import { TOOLS } from "../../src/tools/catalogue.ts";
import { FakeMemory, untouchableMemory } from "../support/fake-memory.ts";
import { callTool, connectClient } from "../support/mcp-client.ts";

describe("a session", () => {
  it("I2: initialize and every list are answered without touching the memory", async () => {
    const { client, close } = await connectClient(untouchableMemory());
    expect(client.getServerVersion()).toMatchObject({ name: "memspool", version: "0.0.0" });
    expect(client.getInstructions()).toBe(INSTRUCTIONS);
    expect((await client.listTools()).tools).toHaveLength(TOOLS.length);
    expect((await client.listResources()).resources).not.toHaveLength(0);
    expect((await client.listResourceTemplates()).resourceTemplates).not.toHaveLength(0);
    expect(await client.ping()).toEqual({});
    // The control: whatever does need the memory fails with this one.
    const { structured, isError } = await callTool(client, "queue_status");
    expect(isError).toBe(true);
    expect(structured.error).toMatchObject({ code: "INTERNAL" });
    await close();
  });

  it("T12: the list is the catalogue, the same every time", async () => {
    const { client, close } = await connectClient(new FakeMemory());
    const first = await client.listTools();
    expect(await client.listTools()).toEqual(first);
    expect(JSON.stringify(first).length).toBeLessThan(15_500);
    for (const tool of first.tools) {
      expect(tool.inputSchema.type).toBe("object");
      expect(tool.outputSchema?.type).toBe("object");
    }
    await close();
  });

  it("T11: an unknown tool is a protocol error that names it", async () => {
    const { client, close } = await connectClient(new FakeMemory());
    await expect(client.callTool({ name: "memory_forgot" })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('"memory_forgot"'),
      data: { code: "INVALID_ARGUMENT", retryable: false },
    });
    await close();
  });

  it("T11: an unknown method is refused by its name", async () => {
    const { client, close } = await connectClient(new FakeMemory());
    for (const method of ["no/such", "toString", "__proto__"]) {
      const request = { method } as never;
      await expect(client.request(request, {} as never)).rejects.toMatchObject({
        code: -32601,
        message: expect.stringContaining(method),
      });
    }
    await close();
  });

  it("T11: the end of the session aborts the calls that only wait", async () => {
    const memory = new FakeMemory();
    memory.flushGate = new Promise(() => {});
    const leaving = new AbortController();
    const { client, close } = await connectClient(memory, { leaving: leaving.signal });
    const flush = callTool(client, "queue_flush");
    await client.ping();
    leaving.abort();
    expect((await flush).structured.error).toMatchObject({ code: "FLUSH_CANCELLED" });
    const late = await callTool(client, "queue_flush");
    expect(late.structured.error).toMatchObject({ code: "FLUSH_CANCELLED" });
    await close();
  });

  it("T9: progress is told only to a client that asked for it", async () => {
    const memory = new FakeMemory();
    await memory.capture({ surface: "a" });
    const { client, close } = await connectClient(memory);
    const unasked: unknown[] = [];
    client.fallbackNotificationHandler = async (notification) => {
      unasked.push(notification);
    };
    client.onerror = (error) => unasked.push(error);
    await callTool(client, "queue_flush");
    expect(unasked).toEqual([]);
    await close();
  });

  it("X2: a hundred calls at once are all answered, without a warning of the runtime", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on("warning", warn);
    const leaving = new AbortController();
    const { client, close } = await connectClient(new FakeMemory(), { leaving: leaving.signal });
    const calls = Array.from({ length: 100 }, (_, index) =>
      callTool(client, "memory_capture", { surface: `text ${index}` }),
    );
    const ulids = (await Promise.all(calls)).map(({ structured }) => structured.ulid);
    expect(new Set(ulids).size).toBe(100);
    await close();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });
});
