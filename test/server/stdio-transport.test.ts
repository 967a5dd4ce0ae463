import { PassThrough, Writable } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import {
  type EndReason,
  OUTPUT_BYTES_MAX,
  StdioTransport,
} from "../../src/server/stdio-transport.ts";
import { UNANSWERED_COUNT_MAX } from "../../src/server/unanswered-requests.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

const LIMIT = 1_000;

interface Sent {
  id?: string | number | null;
  error?: { code: number; message: string };
}

/** A stdout whose reader takes nothing until it is released. */
class SlowOutput extends Writable {
  text = "";
  #next: (() => void) | undefined;
  #released = false;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("utf8");
    if (this.#released) done();
    else this.#next = done;
  }

  release(): void {
    this.#released = true;
    this.#next?.();
  }

  get sent(): Sent[] {
    return this.text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  }
}

let open: StdioTransport[] = [];
afterEach(async () => {
  for (const transport of open) await transport.close();
  open = [];
});

function start(stdout: Writable = new PassThrough()) {
  const stdin = new PassThrough({ highWaterMark: 1_024 });
  const events = new RecordedEvents();
  const time = new ManualTime();
  const ends: EndReason[] = [];
  const answered: string[] = [];
  const messages: { id?: number; method: string }[] = [];
  const transport = new StdioTransport({
    stdin,
    stdout,
    events,
    clock: time.clock,
    onEnd: (reason) => ends.push(reason),
    onAnswered: (method) => answered.push(method),
    messageBytesMax: LIMIT,
  });
  open.push(transport);
  transport.onmessage = (message) => messages.push(message as never);
  const started = transport.start();
  return { stdin, stdout, events, time, ends, answered, messages, transport, started };
}

function collect(stdout: PassThrough): { text: string; sent: Sent[] } {
  const collected = { text: "", sent: [] as Sent[] };
  stdout.on("data", (chunk: Buffer) => {
    collected.text += chunk.toString("utf8");
    for (const line of chunk.toString("utf8").split("\n")) {
      if (line !== "") collected.sent.push(JSON.parse(line));
    }
  });
  return collected;
}

/** Streams pass data on in later turns of the event loop. */
async function settled(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const request = (id: number, method = "ping") => JSON.stringify({ jsonrpc: "2.0", id, method });

describe("lines that are no message", () => {
  it("X2: each is answered, and the messages between them are taken", async () => {
    const stdout = new PassThrough();
    const { sent } = collect(stdout);
    const { stdin, messages, events } = start(stdout);
    stdin.write(`not json\n\n\r\n${request(1)}\r\n[1]\n{"id":7}\n`);
    stdin.write(Buffer.from([0x22, 0xff, 0x22, 0x0a]));
    stdin.write(`${request(2)}\n`);
    await settled();
    expect(messages.map(({ id }) => id)).toEqual([1, 2]);
    expect(sent.map(({ id, error }) => [id, error?.code])).toEqual([
      [null, -32700],
      [null, -32600],
      [7, -32600],
      [null, -32700],
    ]);
    expect(events.named("message_refused")).toEqual([
      { code: -32700, reason: "not_json", count: 1 },
      { code: -32600, reason: "not_a_message", count: 1 },
      { code: -32700, reason: "not_utf8", count: 1 },
    ]);
  });

  it("X2: a flood becomes one event a second, with its count", async () => {
    const { stdin, events, time, transport } = start(new PassThrough().resume());
    stdin.write("x\n".repeat(500));
    await settled();
    expect(events.named("message_refused")).toEqual([
      { code: -32700, reason: "not_json", count: 1 },
    ]);
    time.advance(1_000);
    stdin.write("x\nx\n");
    await settled();
    transport.stopReading();
    expect(events.named("message_refused").map(({ count }) => count)).toEqual([1, 500, 1]);
  });
});

describe("a message over the limit", () => {
  const call = (id: number, chars: number) =>
    JSON.stringify({ method: "tools/call", params: { a: "x".repeat(chars) }, jsonrpc: "2.0", id });

  it("X2: is answered with the limit and its id, though the id stands at its end", async () => {
    const stdout = new PassThrough();
    const { sent } = collect(stdout);
    const { stdin, messages, events } = start(stdout);
    stdin.write(`${call(5, 50_000)}\n${request(6)}\n`);
    await settled(200);
    expect(sent).toEqual([
      { jsonrpc: "2.0", id: 5, error: { code: -32600, message: expect.any(String) } },
    ]);
    expect(sent[0]?.error?.message).toContain("1000 bytes");
    expect(messages.map(({ id }) => id)).toEqual([6]);
    expect(events.named("message_refused")).toMatchObject([{ reason: "too_large", count: 1 }]);
  });

  it("X2: is answered as soon as the limit is crossed, where the id stands first", async () => {
    const stdout = new PassThrough();
    const { sent } = collect(stdout);
    const { stdin } = start(stdout);
    stdin.write(`{"jsonrpc":"2.0","id":8,"method":"x","params":{"a":"${"x".repeat(2 * LIMIT)}`);
    await settled();
    expect(sent).toMatchObject([{ id: 8, error: { code: -32600 } }]);
    stdin.write("still the same line");
    stdin.write(`"}}\n${request(9)}\n`);
    await settled();
    expect(sent).toHaveLength(1);
  });

  it("X2: garbage without a line end is refused at the limit, once", async () => {
    const stdout = new PassThrough();
    const { sent } = collect(stdout);
    const { stdin, messages } = start(stdout);
    for (let sentKb = 0; sentKb < 100; sentKb++) stdin.write("g".repeat(1_024));
    await settled(200);
    expect(sent).toMatchObject([{ id: null, error: { code: -32600 } }]);
    stdin.write(`\n${request(1)}\n`);
    await settled();
    expect(messages).toHaveLength(1);
    expect(sent).toHaveLength(1);
  });

  it("X2: the next one is refused again", async () => {
    const stdout = new PassThrough();
    const { sent } = collect(stdout);
    const { stdin } = start(stdout);
    stdin.write(`${call(1, 3_000)}\n${call(2, 3_000)}\n{"a":"${"x".repeat(3_000)}"}\n`);
    await settled(200);
    expect(sent.map(({ id }) => id)).toEqual([1, 2, null]);
  });
});

describe("pace", () => {
  it("X2: reading pauses while too many requests are unanswered", async () => {
    const stdout = new PassThrough().resume();
    const { stdin, messages, transport } = start(stdout);
    const total = UNANSWERED_COUNT_MAX + 200;
    for (let id = 0; id < total; id++) stdin.write(`${request(id)}\n`);
    await settled(200);
    expect(stdin.isPaused()).toBe(true);
    expect(messages.length).toBeGreaterThanOrEqual(UNANSWERED_COUNT_MAX);
    expect(messages.length).toBeLessThan(total);
    for (let at = 0; at < total; at++) {
      await settled(2);
      await transport.send({ jsonrpc: "2.0", id: messages[at]?.id as number, result: {} });
    }
    expect(messages).toHaveLength(total);
    expect(stdin.isPaused()).toBe(false);
  });

  it("X2: reading pauses while a client does not take its answers, and goes on after", async () => {
    const stdout = new SlowOutput();
    const { stdin, messages, transport } = start(stdout);
    stdin.write(`${request(1)}\n`);
    await settled();
    const result = { text: "x".repeat(OUTPUT_BYTES_MAX) };
    const sent = transport.send({ jsonrpc: "2.0", id: 1, result });
    stdin.write(`${request(2)}\n`);
    await settled();
    stdin.write(`${request(3)}\n`);
    await settled();
    expect(stdin.isPaused()).toBe(true);
    expect(messages.length).toBeLessThan(3);
    stdout.release();
    await sent;
    await settled();
    expect(messages).toHaveLength(3);
  });

  it("X2: garbage that nobody reads the refusals of is discarded without blocking", async () => {
    const stdout = new SlowOutput();
    const { stdin, messages } = start(stdout);
    for (let sent = 0; sent < 100; sent++) stdin.write(`${"g\n".repeat(512)}`);
    stdin.write(`${request(1)}\n`);
    await settled(1_000);
    expect(messages).toHaveLength(1);
    expect(stdout.writableLength).toBeLessThan(OUTPUT_BYTES_MAX);
    expect(stdin.isPaused()).toBe(false);
  });

  it("X2: notifications are left out while answers wait", async () => {
    const stdout = new SlowOutput();
    const { transport } = start(stdout);
    const update = {
      jsonrpc: "2.0" as const,
      method: "notifications/resources/updated",
      params: { uri: "memspool://status" },
    };
    for (let told = 0; told < 20_000; told++) void transport.send(update);
    await settled();
    expect(stdout.writableLength).toBeLessThan(OUTPUT_BYTES_MAX);
    stdout.release();
  });
});

describe("ends", () => {
  it("I7: the end of stdin ends the session, and the last line needs no line end", async () => {
    const { stdin, messages, ends } = start();
    stdin.end(request(1));
    await settled();
    expect(messages).toHaveLength(1);
    expect(ends[0]).toBe("stdin_end");
  });

  it("I7: a failing stdin ends the session", async () => {
    const { stdin, ends } = start();
    stdin.destroy(new Error("EIO"));
    await settled();
    expect(ends[0]).toBe("stdin_error");
  });

  it("X2: a closed stdout ends the session and later answers go nowhere", async () => {
    const stdout = new PassThrough();
    const { stdin, transport, ends, answered } = start(stdout);
    stdin.write(`${request(1)}\n`);
    await settled();
    stdout.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await settled();
    expect(ends[0]).toBe("stdout_closed");
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    await transport.flush();
    expect(answered).toEqual([]);
  });

  it("I7: nothing is taken once reading has stopped, and answers still go out", async () => {
    const stdout = new PassThrough();
    const { sent } = collect(stdout);
    const { stdin, messages, transport, answered } = start(stdout);
    stdin.write(`${request(1)}\n`);
    await settled();
    transport.stopReading();
    stdin.write(`${request(2)}\n`);
    await settled();
    expect(messages).toHaveLength(1);
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    await transport.whenIdle();
    await transport.flush();
    expect(sent).toEqual([{ jsonrpc: "2.0", id: 1, result: {} }]);
    expect(answered).toEqual(["ping"]);
  });

  it("I7: is idle once everything is answered or cancelled", async () => {
    const { stdin, transport } = start(new PassThrough().resume());
    stdin.write(`${request(1)}\n${request(2)}\n`);
    await settled();
    let idle = false;
    const waited = transport.whenIdle().then(() => {
      idle = true;
    });
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    await settled();
    expect(idle).toBe(false);
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } };
    stdin.write(`${JSON.stringify(cancel)}\n`);
    await waited;
  });

  it("I7: closing can be repeated", async () => {
    const { transport } = start();
    let closed = 0;
    transport.onclose = () => {
      closed += 1;
    };
    await transport.close();
    await transport.close();
    expect(closed).toBe(1);
  });
});
