import { describe, expect, it, vi } from "vitest";
import { ANSWER_MS_MAX, LEAVE_MS_MAX } from "../../src/server/serve-stdio.ts";
import { TOOLS } from "../../src/tools/catalogue.ts";
import { FakeMemory, untouchableMemory } from "../support/fake-memory.ts";
import { INITIALIZE, StdioSession } from "../support/stdio-session.ts";

const CAPTURE = { name: "memory_capture", arguments: { surface: "a" } };

/** A promise and the function that resolves it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe("the start of a session", () => {
  it("I2: initialize and tools/list are answered before anything is opened", async () => {
    const order: string[] = [];
    const session = new StdioSession(untouchableMemory());
    void session.initialized.then(() => order.push(`${session.answers.length} answered`));
    session.send(INITIALIZE, { jsonrpc: "2.0", method: "notifications/initialized" });
    session.send({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    const { result } = await session.answerTo("init");
    expect(result).toMatchObject({
      protocolVersion: "2025-11-25",
      serverInfo: { name: "memspool" },
      capabilities: { tools: {}, resources: { subscribe: true } },
    });
    expect((await session.answerTo(1)).result?.tools).toHaveLength(TOOLS.length);
    await session.initialized;
    session.stdin.end();
    expect(await session.exitCode).toBe(0);
    expect(order).toHaveLength(1);
    expect(order[0]).not.toBe("0 answered");
  });

  it("I2: speaks every protocol version that the SDK knows, and its own to others", async () => {
    for (const [asked, given] of [
      ["2024-11-05", "2024-11-05"],
      ["2025-06-18", "2025-06-18"],
      ["1999-01-01", "2025-11-25"],
    ]) {
      const session = new StdioSession();
      session.send({ ...INITIALIZE, params: { ...INITIALIZE.params, protocolVersion: asked } });
      expect((await session.answerTo("init")).result?.protocolVersion).toBe(given);
      session.stdin.end();
      await session.exitCode;
    }
  });

  it("I4: draining starts once, for a client that skips initialize too", async () => {
    const session = new StdioSession();
    expect(session.steps).toEqual([]);
    await session.call(1, "memory_capture", { surface: "a" });
    await session.call(2, "memory_capture", { surface: "b" });
    session.send(INITIALIZE);
    await session.answerTo("init");
    await session.initialized;
    session.stdin.end();
    await session.exitCode;
    expect(session.steps).toEqual(["initialized", "leaving", "closed"]);
  });

  it("L1: what anything prints goes to stderr while the session lasts", async () => {
    const printer = globalThis.console;
    const { log } = printer;
    const session = new StdioSession();
    for (const print of [printer.log, printer.info, printer.dir, printer.warn]) print("stray");
    session.stdin.end();
    await session.exitCode;
    expect(String(session.stderr.read())).toBe("stray\nstray\n'stray'\nstray\n");
    expect(session.answers).toEqual([]);
    expect(printer.log).toBe(log);
  });
});

describe("the end of a session", () => {
  it.each([
    ["stdin_end", (session: StdioSession) => session.stdin.end()],
    ["SIGTERM", (session: StdioSession) => session.signals.emit("SIGTERM", "SIGTERM")],
    ["SIGINT", (session: StdioSession) => session.signals.emit("SIGINT", "SIGINT")],
    ["SIGHUP", (session: StdioSession) => session.signals.emit("SIGHUP", "SIGHUP")],
    ["stdout_closed", (session: StdioSession) => session.stdout.destroy()],
    [
      "parent_died",
      (session: StdioSession) => {
        session.ppid = 1;
      },
    ],
  ])("I7: ends by itself: %s", async (reason, end) => {
    const session = new StdioSession();
    session.send(INITIALIZE);
    await session.initialized;
    end(session);
    expect(await session.exitCode).toBe(0);
    expect(session.steps).toEqual(["initialized", "leaving", "closed"]);
    expect(session.events.all.map(({ event }) => event)).toEqual([
      "server_started",
      "server_stopping",
      "server_stopped",
    ]);
    expect(session.events.named("server_stopping")).toEqual([{ reason }]);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) {
      expect(session.signals.listenerCount(signal)).toBe(0);
    }
  });

  it("I7: a call in flight is finished and answered before anything is closed", async () => {
    const memory = new FakeMemory();
    const { opened, open } = gate();
    memory.gate = opened;
    const session = new StdioSession(memory);
    const answer = session.call(1, "memory_capture", { surface: "in flight" });
    session.send({ jsonrpc: "2.0", id: 2, method: "ping" });
    await session.answerTo(2);
    session.signals.emit("SIGTERM", "SIGTERM");
    session.signals.emit("SIGTERM", "SIGTERM");
    session.send({ jsonrpc: "2.0", id: 3, method: "ping" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(session.steps).toEqual(["leaving"]);
    open();
    expect((await answer).result).toMatchObject({ structuredContent: { state: "pending" } });
    expect(await session.exitCode).toBe(0);
    expect(session.steps).toEqual(["leaving", "closed"]);
    // What came after the signal was not read.
    expect(session.answers.map(({ id }) => id)).toEqual([2, 1]);
  });

  it("I7: requests that were sent before stdin ended are all answered", async () => {
    const session = new StdioSession();
    for (let id = 0; id < 50; id++) {
      const params = { name: "memory_capture", arguments: { surface: `text ${id}` } };
      session.send({ jsonrpc: "2.0", id, method: "tools/call", params });
    }
    session.stdin.end(JSON.stringify({ jsonrpc: "2.0", id: "last", method: "ping" }));
    expect(await session.exitCode).toBe(0);
    expect(session.answers).toHaveLength(51);
  });

  it("I7: a call that only waits gives up, so that it does not hold the end", async () => {
    const memory = new FakeMemory();
    memory.flushGate = new Promise(() => {});
    const session = new StdioSession(memory);
    const answer = session.call(1, "queue_flush");
    session.send({ jsonrpc: "2.0", id: 2, method: "ping" });
    await session.answerTo(2);
    session.stdin.end();
    expect(JSON.stringify((await answer).result)).toContain("FLUSH_CANCELLED");
    expect(await session.exitCode).toBe(0);
  });

  it("I7: what can not be closed in time is left, and the exit code says so", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const session = new StdioSession(new FakeMemory(), { close: () => new Promise(() => {}) });
    let exitCode: number | undefined;
    void session.exitCode.then((code) => {
      exitCode = code;
    });
    const left = new Promise<void>((resolve) => session.stdin.on("close", resolve));
    session.stdin.end();
    await left;
    await vi.advanceTimersByTimeAsync(2_400);
    expect(exitCode).toBeUndefined();
    await vi.advanceTimersByTimeAsync(LEAVE_MS_MAX - 2_400);
    expect(await session.exitCode).toBe(1);
    vi.useRealTimers();
  });

  it("I7: a call that never ends holds the end for a second and no longer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const memory = new FakeMemory();
    memory.gate = new Promise(() => {});
    const session = new StdioSession(memory);
    session.send(
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: CAPTURE },
      { jsonrpc: "2.0", id: 2, method: "ping" },
    );
    await session.answerTo(2);
    session.signals.emit("SIGTERM", "SIGTERM");
    await vi.advanceTimersByTimeAsync(ANSWER_MS_MAX - 1);
    expect(session.steps).toEqual(["leaving"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await session.exitCode).toBe(0);
    expect(session.steps).toEqual(["leaving", "closed"]);
    vi.useRealTimers();
  });

  it("I7: a failing close is no crash", async () => {
    const session = new StdioSession(new FakeMemory(), {
      close: () => Promise.reject(new Error("disk gone")),
    });
    session.stdin.end();
    expect(await session.exitCode).toBe(1);
  });

  it("I7: close is told how much time is left", async () => {
    let budgetMs = 0;
    const session = new StdioSession(new FakeMemory(), {
      close: async (ms) => {
        budgetMs = ms;
      },
    });
    session.stdin.end();
    await session.exitCode;
    expect(budgetMs).toBeGreaterThan(0);
    expect(budgetMs).toBeLessThanOrEqual(2_500);
  });

  it("X2: a client that closes our stderr does not end the session", async () => {
    const session = new StdioSession();
    session.stderr.destroy(new Error("EPIPE"));
    expect((await session.call(1, "queue_status")).error).toBeUndefined();
    session.stdin.end();
    expect(await session.exitCode).toBe(0);
  });

  it("X2: garbage, then a message: the session goes on", async () => {
    const session = new StdioSession();
    session.send("{", "[]", "\u0000\u0000", INITIALIZE);
    expect((await session.answerTo("init")).result).toBeDefined();
    expect(session.answers.map(({ error }) => error?.code)).toEqual([
      -32700,
      -32600,
      -32700,
      undefined,
    ]);
    session.stdin.end();
    expect(await session.exitCode).toBe(0);
  });
});
