import { describe, expect, it } from "vitest";
import type { Memory, RecentResult } from "../../src/memory/memory.ts";
import { FakeMemory } from "../support/fake-memory.ts";
import { connectClient } from "../support/mcp-client.ts";
import { MemoryBench } from "../support/memory-bench.ts";

type Ref = { type: "ref/prompt"; name: string } | { type: "ref/resource"; uri: string };

const RECALL: Ref = { type: "ref/prompt", name: "recall" };
const DIGEST: Ref = { type: "ref/prompt", name: "session-digest" };
const RECORD: Ref = { type: "ref/resource", uri: "memspool://records/{ulid}" };
const SESSION: Ref = { type: "ref/resource", uri: "memspool://sessions/{session_id}" };

async function complete(
  memory: Memory,
  ref: Ref,
  name: string,
  value: string,
  chosen?: Record<string, string>,
) {
  const { client, close } = await connectClient(memory);
  try {
    const { completion } = await client.complete({
      ref,
      argument: { name, value },
      ...(chosen && { context: { arguments: chosen } }),
    });
    return completion;
  } finally {
    await close();
  }
}

async function filled(): Promise<MemoryBench> {
  const bench = await MemoryBench.open({ project: "atlas" });
  const at = (minute: number) => `2026-03-01T09:${minute}:00Z`;
  const said = [
    ["atlas", "morning-1", at(10)],
    ["atlas", "Morning-2", at(30)],
    ["bakery", "morning-3", at(20)],
    ["", "evening", at(40)],
  ] as const;
  for (const [project, session_id, occurred_at] of said) {
    await bench.memory.capture({ surface: "x", project, session_id, occurred_at });
  }
  return bench;
}

describe("completion/complete", () => {
  it("R6: proposes projects and sessions that begin as typed, newest first, of all projects", async () => {
    const { memory } = await filled();
    expect(await complete(memory, RECALL, "project", "")).toEqual({
      values: ["atlas", "bakery"],
      hasMore: false,
    });
    expect((await complete(memory, RECALL, "project", "B")).values).toEqual(["bakery"]);
    const mornings = ["Morning-2", "morning-3", "morning-1"];
    expect((await complete(memory, DIGEST, "session_id", "mor")).values).toEqual(mornings);
    expect((await complete(memory, DIGEST, "session_id", "nothing")).values).toEqual([]);
  });

  it("R6: proposes the sessions of the project that was chosen already", async () => {
    const { memory } = await filled();
    const chosen = { project: "bakery" };
    expect((await complete(memory, DIGEST, "session_id", "m", chosen)).values).toEqual([
      "morning-3",
    ]);
    const none = { project: "" };
    expect((await complete(memory, DIGEST, "session_id", "m", none)).values).toHaveLength(3);
  });

  it("R4: completes the variables of both templates, an id in small letters too", async () => {
    const bench = await filled();
    const { ulid } = await bench.memory.capture({ surface: "y" });
    const { values } = await complete(
      bench.memory,
      RECORD,
      "ulid",
      ulid.slice(0, 20).toLowerCase(),
    );
    expect(values).toContain(ulid);
    expect((await complete(bench.memory, SESSION, "session_id", "eve")).values).toEqual([
      "evening",
    ]);
  });

  it("R6: proposes nothing for an argument that can be anything", async () => {
    const { memory } = await filled();
    expect(await complete(memory, RECALL, "topic", "k")).toEqual({ values: [], hasMore: false });
    for (const name of ["toString", "cursor"]) {
      expect((await complete(memory, RECORD, name, "")).values).toEqual([]);
    }
  });

  it("R6: gives at most a hundred values, and few enough characters, and says that there are more", async () => {
    const names = (count: number, nameOf: (n: number) => string) =>
      Array.from({ length: count }, (_, n) => ({ name: nameOf(n), count: 1, last_at: "" }));
    const paged = (pages: readonly RecentResult[]) =>
      Object.assign(new FakeMemory(), {
        recent: async ({ cursor = "0" }: { cursor?: string }) => {
          const at = Number(cursor);
          return { ...pages[at % pages.length], next_cursor: String(at + 1) };
        },
      });
    const hundred = paged([{ names: names(60, (n) => `s${n}`) }]);
    const many = await complete(hundred, DIGEST, "session_id", "s");
    expect(many.values).toHaveLength(100);
    expect(many.hasMore).toBe(true);
    const wide = paged([{ names: names(60, (n) => `s${n}${"\u0001".repeat(900)}`) }]);
    const few = await complete(wide, DIGEST, "session_id", "s");
    expect(few.values.length).toBeLessThan(10);
    expect(few.hasMore).toBe(true);
    // Pages without a match come to an end too.
    expect(await complete(hundred, DIGEST, "session_id", "t")).toEqual({
      values: [],
      hasMore: true,
    });
    expect((await complete(hundred, DIGEST, "session_id", "s".repeat(2_000))).values).toEqual([]);
  });

  it.each([
    ["an unknown prompt", { type: "ref/prompt", name: "x" } as Ref, "topic", '"x"'],
    ["an unknown argument", RECALL, "nope", '"nope"'],
    ["an unknown address", { type: "ref/resource", uri: "memspool://x/{y}" } as Ref, "y", "x/{y}"],
  ])("R6: %s is a protocol error that names it", async (_, ref, name, words) => {
    const failing = complete(new FakeMemory(), ref, name, "");
    await expect(failing).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining(words),
      data: { code: "INVALID_ARGUMENT" },
    });
  });

  it("R6: a failure inside says its code", async () => {
    const memory = new FakeMemory();
    memory.failure = new Error("driver says words");
    await expect(complete(memory, RECALL, "project", "")).rejects.toMatchObject({
      code: -32603,
      data: { code: "INTERNAL" },
    });
  });
});
