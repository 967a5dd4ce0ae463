import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { ANSWER_CHARS_MAX } from "../../src/record/limits.ts";
import { FakeMemory } from "../support/fake-memory.ts";
import { ManualTime } from "../support/manual-time.ts";
import { type Connected, connectClient } from "../support/mcp-client.ts";
import { auditLine } from "../support/overflow-audit-bench.ts";

let memory: FakeMemory;
let time: ManualTime;
let session: Connected;

beforeEach(async () => {
  memory = new FakeMemory();
  time = new ManualTime();
  session = await connectClient(memory, { timing: time });
});
afterEach(() => session.close());

async function read(uri: string): Promise<{ [field: string]: unknown; text: string }> {
  const { contents } = await session.client.readResource({ uri });
  const [content] = contents as { uri: string; mimeType: string; text: string }[];
  expect(content).toMatchObject({ uri, mimeType: "application/json" });
  const text = content?.text ?? "";
  expect(text.length).toBeLessThan(ANSWER_CHARS_MAX + 1_000);
  return { ...JSON.parse(text), text };
}

async function refusal(uri: string): Promise<{ code: number; message: string; data: unknown }> {
  const error = await session.client.readResource({ uri }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  return error as { code: number; message: string; data: unknown };
}

describe("listing resources", () => {
  it("R1: lists the fixed addresses and the templates", async () => {
    const { resources } = await session.client.listResources();
    expect(resources.map(({ uri }) => uri)).toEqual([
      "memspool://status",
      "memspool://health",
      "memspool://events",
      "memspool://queue/pending",
      "memspool://queue/quarantine",
      "memspool://queue/overflow-audit",
    ]);
    const { resourceTemplates } = await session.client.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      "memspool://events{?limit}",
      "memspool://queue/pending{?cursor,limit}",
      "memspool://queue/quarantine{?cursor,limit}",
      "memspool://queue/overflow-audit{?cursor,limit}",
      "memspool://records/{ulid}",
      "memspool://sessions/{session_id}",
    ]);
    for (const entry of [...resources, ...resourceTemplates]) {
      expect(entry).toMatchObject({ mimeType: "application/json" });
      expect(entry.description).not.toBe("");
    }
  });
});

describe("reading resources", () => {
  it("R1: status is the memory's own report", async () => {
    const { text, ...status } = await read("memspool://status");
    expect(status).toEqual(memory.statusReport);
    expect(text).toBe(JSON.stringify(memory.statusReport));
  });

  it("R2: health is the memory's own report", async () => {
    expect(await read("memspool://health")).toMatchObject({
      status: "ok",
      checks: [{ name: "write", status: "ok" }],
    });
  });

  it("R5: events are bounded, however many and wordy they are", async () => {
    const signal = { code: "STARTUP", message: "m".repeat(900) } as never;
    const snapshot = { at: "2026-01-01T00:00:00.000Z", missed: 0 } as never;
    memory.flight = {
      ...memory.flight,
      signals: new Array(100).fill(signal),
      snapshots: new Array(100).fill(snapshot),
    };
    const whole = await read("memspool://events?limit=100");
    expect((whole.signals as unknown[]).length).toBeGreaterThan(10);
    expect((whole.signals as unknown[]).length).toBeLessThan(100);
    const few = await read("memspool://events?limit=2");
    expect([few.signals, few.snapshots]).toEqual([
      [signal, signal],
      [snapshot, snapshot],
    ]);
    for (const query of ["limit=0", "limit=101", "cursor=1"]) {
      expect((await refusal(`memspool://events?${query}`)).code).toBe(-32602);
    }
  });

  it("R3: pages through what is pending, without any record's text", async () => {
    const ulids: string[] = [];
    for (let index = 0; index < 45; index++) {
      ulids.push((await memory.capture({ surface: `secret words ${index}` })).ulid);
    }
    const seen: string[] = [];
    let uri: string | undefined = "memspool://queue/pending";
    for (let pages = 0; uri !== undefined && pages < 10; pages++) {
      const page = await read(uri);
      expect(page.total).toBe(45);
      expect(page.text).not.toContain("secret");
      seen.push(...(page.entries as { ulid: string }[]).map(({ ulid }) => ulid));
      uri = page.next_uri as string | undefined;
    }
    expect(seen).toEqual(ulids);
  });

  it("R3: a page's size can be chosen, within bounds", async () => {
    for (let index = 0; index < 3; index++) await memory.capture({ surface: "a" });
    const page = await read("memspool://queue/pending?limit=2");
    expect(page.entries).toHaveLength(2);
    expect(page.next_uri).toBe("memspool://queue/pending?cursor=2&limit=2");
    for (const limit of ["0", "101", "two", "1e1"]) {
      const { code, message } = await refusal(`memspool://queue/pending?limit=${limit}`);
      expect(code).toBe(-32602);
      expect(message).toContain("limit must be a whole number 1 to 100");
    }
  });

  it("R3: pages through the overflow audit log, with its totals", async () => {
    memory.audit = Array.from({ length: 30 }, (_, n) => auditLine(30 - n));
    const seen: unknown[] = [];
    let uri: string | undefined = "memspool://queue/overflow-audit";
    for (let pages = 0; uri !== undefined && pages < 10; pages++) {
      const page = await read(uri);
      expect(page).toMatchObject({ total: 30, totals: { spilled: 30, deleted: { files: 0 } } });
      seen.push(...(page.entries as unknown[]));
      uri = page.next_uri as string | undefined;
    }
    expect(seen).toEqual(memory.audit);
    expect((await refusal("memspool://queue/overflow-audit?page=2")).code).toBe(-32602);
  });

  it("R3: shows what is quarantined, bounded however wordy the reasons are", async () => {
    memory.quarantine = Array.from({ length: 100 }, (_, index) => ({
      ulid: `ulid-${index}`,
      file: `pending-${index}.json`,
      bytes: 5,
      code: "ENVELOPE_NOT_JSON",
      message: "m".repeat(1_000),
      attempts: 3,
      quarantined_at: "2026-01-01T00:00:00.000Z",
    }));
    const page = await read("memspool://queue/quarantine?limit=100");
    expect((page.entries as unknown[]).length).toBeLessThan(100);
    const next = await read(page.next_uri as string);
    const shown = (page.entries as unknown[]).length;
    expect((next.entries as { ulid: string }[])[0]?.ulid).toBe(`ulid-${shown}`);
  });

  it("R4: a record comes back word for word, a long one over its pages", async () => {
    const surface = "\u0001😀".repeat(20_000);
    const { ulid } = await memory.capture({ surface });
    let text = "";
    let uri: string | undefined = `memspool://records/${ulid}`;
    for (let pages = 0; uri !== undefined && pages < 20; pages++) {
      const page = await read(uri);
      text += (page.record as { surface: string }).surface;
      uri = page.next_uri as string | undefined;
    }
    expect(text).toBe(surface);
  });

  it("R4: a session is read from its beginning, whatever its name", async () => {
    for (const session_id of ["plain", "with / and ? and #", "..", "é %41", "a&limit=1"]) {
      for (const surface of ["first", "second", "third"]) {
        await memory.capture({ surface, session_id });
      }
      const uri = `memspool://sessions/${encodeURIComponent(session_id)}`;
      const page = await read(uri);
      expect(page.session_id).toBe(session_id);
      expect(page.records).toMatchObject([
        { snippet: "first" },
        { snippet: "second" },
        { snippet: "third" },
      ]);
      const start = await read(`${uri}?limit=2`);
      const rest = await read(start.next_uri as string);
      expect(rest.records).toMatchObject([{ snippet: "third" }]);
    }
  });
});

describe("addresses that name nothing", () => {
  it.each([
    ["memspool://nothing"],
    ["memspool://"],
    ["memspool://status/more"],
    ["memspool://records/"],
    ["memspool://sessions/%E0%A4%A"],
    ["memspool://records/01JZX0W7Q2M3N4P5R6S7T8V9WA"],
    ["memspool://records/..%2F..%2Fetc%2Fpasswd"],
    ["file:///etc/passwd"],
    ["no uri at all"],
  ])("R4: answers -32002 naming the address: %s", async (uri) => {
    const { code, message, data } = await refusal(uri);
    expect(code).toBe(-32002);
    expect(message).toContain(uri);
    expect(data).toMatchObject({ uri });
  });

  it("X2: a very long address is refused without being repeated whole", async () => {
    const { code, message } = await refusal(`memspool://sessions/${"x".repeat(10_000)}`);
    expect(code).toBe(-32002);
    expect(message.length).toBeLessThan(1_000);
  });

  it("R3: an unknown parameter is refused by its name", async () => {
    const { code, message } = await refusal("memspool://queue/pending?page=2");
    expect(code).toBe(-32602);
    expect(message).toContain('"page"');
  });

  it("R3: a cursor that is not ours is refused", async () => {
    expect((await refusal("memspool://queue/pending?cursor=zz")).code).toBe(-32602);
    const tooLong = await refusal(`memspool://queue/pending?cursor=${"1".repeat(2_000)}`);
    expect(tooLong).toMatchObject({ code: -32602, data: { code: "CURSOR_INVALID" } });
  });

  it("R1: a failure inside says its code and whether to retry, and no text of others", async () => {
    memory.failure = new MemspoolError("STORE_UNAVAILABLE", "The store is away. Try again.");
    expect(await refusal("memspool://status")).toMatchObject({
      code: -32603,
      data: { code: "STORE_UNAVAILABLE", retryable: true },
    });
    memory.failure = new Error("driver says words");
    const { message, data } = await refusal("memspool://status");
    expect(message).not.toContain("driver");
    expect(data).toMatchObject({ code: "INTERNAL" });
  });
});

describe("watching resources", () => {
  it("R1: a subscriber is told of changes until it unsubscribes", async () => {
    const told: string[] = [];
    const { ResourceUpdatedNotificationSchema } = await import(
      "@modelcontextprotocol/sdk/types.js"
    );
    session.client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
      told.push(params.uri);
    });
    const uri = "memspool://status";
    await session.client.subscribeResource({ uri });
    memory.change();
    memory.change();
    await session.client.ping();
    expect(told).toEqual([uri]);
    time.advance(1_000);
    await session.client.ping();
    expect(told).toEqual([uri, uri]);
    await session.client.unsubscribeResource({ uri });
    time.advance(1_000);
    memory.change();
    await session.client.ping();
    expect(told).toEqual([uri, uri]);
  });

  it("R1: what does not exist can not be watched", async () => {
    await expect(
      session.client.subscribeResource({ uri: "memspool://nothing" }),
    ).rejects.toMatchObject({ code: -32002 });
    expect(memory.listenerCount).toBe(0);
  });

  it("R1: a closed session listens to nothing", async () => {
    await session.client.subscribeResource({ uri: "memspool://status" });
    expect(memory.listenerCount).toBe(1);
    await session.close();
    expect(memory.listenerCount).toBe(0);
  });
});
