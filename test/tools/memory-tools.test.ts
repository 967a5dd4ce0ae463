import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { ANSWER_CHARS_MAX } from "../../src/record/limits.ts";
import { TOOLS } from "../../src/tools/catalogue.ts";
import { FakeMemory } from "../support/fake-memory.ts";
import { type Connected, callTool, connectClient } from "../support/mcp-client.ts";

let memory: FakeMemory;
let session: Connected;

beforeEach(async () => {
  memory = new FakeMemory();
  session = await connectClient(memory);
  // The client now checks every answer against the advertised output schema.
  await session.client.listTools();
});
afterEach(() => session.close());

/** Calls the tool and checks that its answer is what the tool itself says it returns. */
async function call(name: string, args: Record<string, unknown> = {}) {
  const outcome = await callTool(session.client, name, args);
  expect(outcome.twin).toEqual(outcome.structured);
  const tool = TOOLS.find((candidate) => candidate.name === name);
  if (!outcome.isError) {
    expect(tool?.outputSchema.safeParse(outcome.structured).error).toBeUndefined();
  }
  return outcome;
}

async function captured(surface: string, more: Record<string, unknown> = {}): Promise<string> {
  return (await call("memory_capture", { surface, ...more })).structured.ulid as string;
}

const TEXTS = [
  ["NFC beside NFD", "\u00e9 e\u0301"],
  ["emoji and RTL", "👩‍👩‍👧 שלום\u200f"],
  ["CRLF, tabs and U+0000", "a\r\nb\tc\u0000d"],
  ["lone surrogates", "\ud800 \udc00\ud800"],
  ["whitespace alone", " \n "],
  ["nothing", ""],
] as const;

describe("memory_capture", () => {
  it("T1: answers with the receipt and hands the record over unchanged", async () => {
    const record = {
      surface: "Deploy on Tuesdays.",
      cue: "deploy day",
      tags: ["deploy"],
      metadata: { a: [1, { b: null }] },
    };
    const { structured, isError } = await call("memory_capture", record);
    expect(isError).toBe(false);
    expect(structured).toMatchObject({ state: "pending" });
    expect(structured.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(memory.kept.get(structured.ulid as string)?.record).toEqual(record);
  });

  it.each(TEXTS)("T1: text arrives code unit for code unit: %s", async (_name, surface) => {
    const ulid = await captured(surface);
    expect(memory.kept.get(ulid)?.record.surface).toBe(surface);
  });

  it("T1: metadata arrives with every key, and must be an object", async () => {
    const json = '{"__proto__":{"constructor":[{"__proto__":1}]},"toString":null}';
    const { structured } = await call("memory_capture", {
      surface: "a",
      metadata: JSON.parse(json),
    });
    const kept = memory.kept.get(structured.ulid as string);
    expect(JSON.stringify(kept?.record.metadata)).toBe(json);
    for (const metadata of [[], "text", null]) {
      const refused = await call("memory_capture", { surface: "a", metadata });
      expect(JSON.stringify(refused.structured)).toContain("metadata must be a JSON object");
    }
  });

  it("T1: passes retry_ulid on", async () => {
    const retry_ulid = "01JZX0W7Q2M3N4P5R6S7T8V9WA";
    const { structured } = await call("memory_capture", { surface: "a", retry_ulid });
    expect(structured.ulid).toBe(retry_ulid);
  });

  it("T1: a text over the limit is refused with limit and size", async () => {
    const { structured, isError } = await call("memory_capture", {
      surface: "x".repeat(1_048_577),
    });
    expect(isError).toBe(true);
    expect(structured.error).toMatchObject({
      code: "RECORD_TOO_LARGE",
      limit_bytes: 1_048_576,
      size_bytes: 1_048_577,
    });
  });

  it("T11: a client that checks output schemas accepts an error's structured content", async () => {
    memory.failure = new MemspoolError("SHUTTING_DOWN", "memspool is ending. Try again.");
    const { structured, isError } = await call("memory_capture", { surface: "a" });
    expect(isError).toBe(true);
    expect(structured.error).toMatchObject({ code: "SHUTTING_DOWN", retryable: true });
  });
});

describe("memory_capture_batch", () => {
  it("T2: gives each record its own outcome, in order", async () => {
    const { structured, isError } = await call("memory_capture_batch", {
      records: [{ surface: "one" }, { surfase: "typo" }, "no record", { surface: "four" }],
    });
    expect(isError).toBe(false);
    const receipts = structured.receipts as Record<string, unknown>[];
    expect(receipts).toHaveLength(4);
    expect(receipts[0]).toMatchObject({ state: "pending" });
    expect(receipts[1]).toMatchObject({ error: { code: "RECORD_INVALID", stored: "no" } });
    expect(receipts[2]).toMatchObject({ error: { code: "RECORD_INVALID" } });
    expect(memory.kept.get(receipts[3]?.ulid as string)?.record.surface).toBe("four");
  });

  it("T2: takes 100 records and refuses 101 as a whole", async () => {
    const records = Array.from({ length: 101 }, (_, index) => ({ surface: `text ${index}` }));
    const refused = await call("memory_capture_batch", { records });
    expect(refused.structured.error).toMatchObject({
      code: "BATCH_TOO_LARGE",
      limit_records: 100,
      size_records: 101,
      stored: "no",
    });
    expect(memory.kept.size).toBe(0);
    const taken = await call("memory_capture_batch", { records: records.slice(1) });
    expect(taken.structured.receipts).toHaveLength(100);
    expect(taken.text.length).toBeLessThanOrEqual(ANSWER_CHARS_MAX);
  });

  it("T2: an unknown argument beside records is refused by name", async () => {
    const { structured } = await call("memory_capture_batch", { records: [], atomic: true });
    expect(structured.error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(JSON.stringify(structured)).toContain("atomic");
  });
});

describe("memory_search", () => {
  it("T3: returns ulid, score and snippet, and a cursor to the rest", async () => {
    for (let index = 0; index < 3; index++) await captured(`whale ${index}`);
    await captured("other");
    const first = await call("memory_search", { query: "whale", limit: 2 });
    expect(first.structured.results).toHaveLength(2);
    const { next_cursor } = first.structured;
    const second = await call("memory_search", { query: "whale", limit: 2, cursor: next_cursor });
    expect(second.structured.results).toMatchObject([{ snippet: "whale 2" }]);
    expect(second.structured.next_cursor).toBeUndefined();
  });

  it("T3: a page of long entries is bounded and its cursor leads through all of them", async () => {
    const tags = Array.from({ length: 15 }, (_, index) => `${index}${"\u0001".repeat(100)}`);
    for (let index = 0; index < 30; index++) await captured(`whale ${index}`, { tags });
    const seen: unknown[] = [];
    let cursor: unknown;
    do {
      const args = { query: "whale", limit: 100, ...(cursor !== undefined && { cursor }) };
      const { structured, text } = await call("memory_search", args);
      expect(text.length).toBeLessThanOrEqual(ANSWER_CHARS_MAX);
      seen.push(...(structured.results as { snippet: string }[]).map(({ snippet }) => snippet));
      cursor = structured.next_cursor;
    } while (cursor !== undefined && seen.length < 100);
    expect(seen).toEqual(Array.from({ length: 30 }, (_, index) => `whale ${index}`));
  });

  it("T3: a query beyond the limit is refused, one at the limit is not", async () => {
    const over = await call("memory_search", { query: "q".repeat(10_241) });
    expect(over.structured.error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((await call("memory_search", { query: "q".repeat(10_240) })).isError).toBe(false);
  });

  it("T3: a time that is none is refused by the name of its argument", async () => {
    const { structured } = await call("memory_search", { query: "a", since: "yesterday" });
    expect(JSON.stringify(structured.error)).toContain("since is not an ISO 8601");
  });
});

describe("memory_get", () => {
  it.each(TEXTS)("T4: returns the text as it was captured: %s", async (_name, surface) => {
    const ulid = await captured(surface);
    const { structured } = await call("memory_get", { ulid });
    expect(structured).toMatchObject({ record: { ulid, surface }, total_chars: surface.length });
    expect(structured.next_offset).toBeUndefined();
  });

  it("T4: leads through a long text page by page, each bounded", async () => {
    const surface = "\u0001😀é".repeat(30_000);
    const ulid = await captured(surface);
    let read = "";
    let offset: unknown = 0;
    for (let pages = 0; offset !== undefined && pages < 100; pages++) {
      const { structured, text } = await call("memory_get", { ulid, offset, length: 30_000 });
      expect(text.length).toBeLessThanOrEqual(ANSWER_CHARS_MAX);
      read += (structured.record as { surface: string }).surface;
      offset = structured.next_offset;
    }
    expect(read).toBe(surface);
  });

  it("T4: an id that is not there is NOT_FOUND, one that is no ULID is refused", async () => {
    const absent = await call("memory_get", { ulid: "01JZX0W7Q2M3N4P5R6S7T8V9WA" });
    expect(absent.structured.error).toMatchObject({ code: "NOT_FOUND", retryable: false });
    const wrong = await call("memory_get", { ulid: "../../etc/passwd" });
    expect(wrong.structured.error).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("memory_recent and memory_receipt", () => {
  it("T5: lists newest first, or a session from its beginning", async () => {
    await captured("first", { session_id: "s1" });
    await captured("second", { session_id: "s1" });
    await captured("elsewhere", { session_id: "s2" });
    const newest = await call("memory_recent");
    expect(newest.structured.records).toMatchObject([
      { snippet: "elsewhere" },
      { snippet: "second" },
      { snippet: "first" },
    ]);
    const session = await call("memory_recent", { session_id: "s1", order: "oldest" });
    expect(session.structured.records).toMatchObject([{ snippet: "first" }, { snippet: "second" }]);
  });

  it("T5: lists projects, sessions and tags with counts", async () => {
    for (const list of ["projects", "sessions", "tags"]) {
      const { structured } = await call("memory_recent", { list });
      expect(structured.names).toMatchObject([{ name: list, count: 0 }]);
    }
    const wrong = await call("memory_recent", { list: "roles" });
    expect(JSON.stringify(wrong.structured.error)).toContain("records, projects, sessions, tags");
  });

  it("T7: tells the state of an id, unknown ones too", async () => {
    const ulid = await captured("a");
    expect((await call("memory_receipt", { ulid })).structured).toMatchObject({
      ulid,
      state: "pending",
    });
    const unknown = "01JZX0W7Q2M3N4P5R6S7T8V9WA";
    expect((await call("memory_receipt", { ulid: unknown })).structured).toEqual({
      ulid: unknown,
      state: "unknown",
    });
  });
});

describe("queue_status and queue_flush", () => {
  it("T11: is small however much there is to tell, and has the spool block as it is", async () => {
    const sentence = "x".repeat(300);
    memory.statusReport = {
      ...memory.statusReport,
      state: "failing",
      reasons: Array(20).fill(sentence),
      events: Array(10).fill({
        time: "2026-03-01T09:30:00.000Z",
        severity: "warning",
        code: "MEM_PRESSURE",
        message: sentence,
      }),
    };
    const { structured } = await call("queue_status");
    expect(structured.spool).toEqual(memory.statusReport.spool);
    expect(JSON.stringify(structured).length).toBeLessThan(40_000);
  });

  it("T8: returns the object of the status resource", async () => {
    const { structured } = await call("queue_status");
    const resource = await session.client.readResource({ uri: "memspool://status" });
    const [content] = resource.contents as { text: string }[];
    expect(structured).toEqual(JSON.parse(content?.text ?? ""));
    expect(structured).toEqual({ ...memory.statusReport });
  });

  it("T9: drains, and reports progress that grows", async () => {
    for (const surface of ["a", "b", "c"]) await captured(surface);
    const progress: unknown[] = [];
    const result = await session.client.callTool({ name: "queue_flush" }, undefined, {
      onprogress: (step) => progress.push(step),
    });
    expect(result.structuredContent).toEqual({ drained: 3, remaining: 0, ms: 1 });
    expect(progress).toEqual([1, 2, 3].map((done) => expect.objectContaining({ progress: done })));
    expect(progress[0]).toMatchObject({ total: 3, message: "1 of 3 stored" });
  });

  it("T9: a cancelled flush stops waiting", async () => {
    let release = () => {};
    memory.flushGate = new Promise((resolve) => {
      release = resolve;
    });
    const cancelled = new AbortController();
    const started = callStarted("flush");
    const flush = session.client.callTool({ name: "queue_flush" }, undefined, {
      signal: cancelled.signal,
    });
    await started;
    cancelled.abort();
    await expect(flush).rejects.toThrow();
    expect(await memory.flushEnded).toBe("FLUSH_CANCELLED");
    release();
  });

  it("T9: a timeout out of range is refused", async () => {
    const { structured } = await call("queue_flush", { timeout_ms: 1 });
    expect(structured.error).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("queue_retry", () => {
  const entry = (n: number, code = "IDEMPOTENCY_CONFLICT") => ({
    ulid: `01JQ7Z8X9YABCDEFGHJKMN${String(n).padStart(4, "0")}`,
    file: `pending-${n}.json`,
    bytes: 100,
    code,
    message: `why ${"x".repeat(500)}`,
    attempts: 1,
    quarantined_at: "2026-03-01T09:30:00.000Z",
  });

  it("T10: sends one record back, or all, and says which stay and why", async () => {
    memory.quarantine = [entry(1), entry(2), entry(3, "ENVELOPE_NOT_JSON")];
    const one = await call("queue_retry", { ulid: entry(2).ulid });
    expect(one.structured).toEqual({
      returned: 1,
      outcomes: [{ ulid: entry(2).ulid, state: "pending" }],
      remaining: 0,
    });
    const { structured } = await call("queue_retry", { limit: 1 });
    expect(structured).toMatchObject({ returned: 1, remaining: 1 });
    const rest = await call("queue_retry");
    expect(rest.structured).toMatchObject({
      returned: 0,
      outcomes: [{ state: "quarantined", error: { code: "ENVELOPE_NOT_JSON" } }],
    });
  });

  it("T10: an answer about as many records as may be asked for fits", async () => {
    memory.quarantine = Array.from({ length: 150 }, (_, n) => entry(n, "ENVELOPE_NOT_JSON"));
    const { structured, isError, text } = await call("queue_retry");
    expect(isError).toBe(false);
    expect(text.length).toBeLessThanOrEqual(ANSWER_CHARS_MAX);
    expect(structured).toMatchObject({ remaining: 50 });
    expect(structured.outcomes).toHaveLength(100);
  });

  it("T10: refuses what is no id, an id that is not there, and unknown arguments", async () => {
    const codes = [];
    for (const args of [{ ulid: "x" }, { ulid: entry(1).ulid }, { limit: 0 }, { all: true }]) {
      codes.push((await call("queue_retry", args)).structured.error);
    }
    expect(codes).toMatchObject(
      ["INVALID_ARGUMENT", "NOT_FOUND", "INVALID_ARGUMENT", "INVALID_ARGUMENT"].map((code) => ({
        code,
      })),
    );
  });
});

/** Resolves once the memory was asked for the operation. */
function callStarted(name: string): Promise<void> {
  return new Promise((resolve) => {
    const push = memory.calls.push.bind(memory.calls);
    memory.calls.push = (...names: string[]) => {
      if (names.includes(name)) resolve();
      return push(...names);
    };
  });
}
