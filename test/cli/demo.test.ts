import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import {
  type DemoRecord,
  DIALOGUE_SESSION,
  readCorpus,
  splitSections,
} from "../../src/cli/demo-corpus.ts";
import type { Acknowledged } from "../../src/cli/demo-fleet.ts";
import { QUESTIONS } from "../../src/cli/demo-questions.ts";
import { verifyStore } from "../../src/cli/demo-verify.ts";
import { MemspoolError } from "../../src/errors.ts";
import { type MemoryRecord, parseRecord } from "../../src/record/memory-record.ts";

describe("corpus", () => {
  it("C1: holds the dialogue turn by turn and every word of the documents", async () => {
    const records = await readCorpus(".");
    const turns = records.filter(({ record }) => record.session_id === DIALOGUE_SESSION);
    expect(turns).toHaveLength(100);
    expect(turns[0]?.record.metadata).toEqual({ speaker: "Narrator", turn: 1 });
    const readme = records.filter(({ record }) => record.source === "README.md");
    expect(readme.map(({ record }) => record.surface).join("")).toBe(
      readFileSync("README.md", "utf8"),
    );
    expect(new Set(records.map(({ key }) => key)).size).toBe(records.length);
    for (const { record } of records) expect(parseRecord(record)).toEqual(record);
  });

  it("C1: every question has its answer somewhere in it", async () => {
    const texts = (await readCorpus(".")).map(({ record }) => record.surface);
    expect(QUESTIONS).toHaveLength(5);
    for (const { expects } of QUESTIONS)
      expect(texts.some((text) => expects.test(text))).toBe(true);
  });

  it("C1: cuts a document before its headings, not inside of code", () => {
    const text = "intro\n# A\na\r\n```sh\n# no heading\n```\n## B\n\n#tag\nend without a break";
    const sections = splitSections(text);
    expect(sections).toEqual([
      "intro\n",
      "# A\na\r\n```sh\n# no heading\n```\n",
      "## B\n\n#tag\nend without a break",
    ]);
    expect(splitSections("")).toEqual([]);
  });
});

describe("verification", () => {
  const acknowledged: Acknowledged[] = ["a", "b", "c"].map((key, n) => ({
    ulid: `U${n}`,
    demo: { key, record: { surface: `text ${key}`, idempotency_key: key } } satisfies DemoRecord,
    by: n,
  }));
  /** What the store holds, id → record; aliases point at another id. */
  let stored: Map<string, MemoryRecord & { state?: string }>;
  let aliases: Map<string, string>;
  let askedFor: number[];
  beforeEach(() => {
    stored = new Map(acknowledged.map(({ ulid, demo }) => [ulid, { ...demo.record }]));
    aliases = new Map();
    askedFor = [];
  });

  const verify = () =>
    verifyStore(acknowledged, async (by) => {
      askedFor.push(by);
      return { call: async (tool, args) => answer(tool, args) as never };
    });

  function answer(tool: string, args: Record<string, unknown>) {
    if (tool === "memory_recent") {
      const from = Number(args.cursor ?? 0);
      const page = [...stored.keys()].slice(from, from + 2);
      const next = from + 2 < stored.size ? { next_cursor: `${from + 2}` } : {};
      return { records: page.map((ulid) => ({ ulid })), ...next };
    }
    const ulid = aliases.get(args.ulid as string) ?? (args.ulid as string);
    const record = stored.get(ulid);
    if (record === undefined) throw new MemspoolError("NOT_FOUND", "No. Go.");
    return {
      record: { state: "ingested", ...record, ulid },
      total_chars: record.surface.length,
    };
  }

  it("C1: finds a sound store sound, asking for each record where it was not captured", async () => {
    expect(await verify()).toEqual({ lost: [], altered: [], twice: [], stored: 3 });
    expect(askedFor).toEqual([0, 1, 2, 0]);
  });

  it("C1: notices a record that is gone, or never reached the store", async () => {
    stored.delete("U1");
    stored.set("U2", { ...acknowledged[2]?.demo.record, surface: "text c", state: "pending" });
    expect((await verify()).lost).toEqual(["b", "c"]);
  });

  it("C1: notices one changed character, and one changed field", async () => {
    stored.set("U0", { surface: "text \u0430", idempotency_key: "a" });
    stored.set("U1", { surface: "text b", idempotency_key: "other" });
    expect((await verify()).altered).toEqual(["a", "b"]);
  });

  it("C1: notices a record that is stored twice", async () => {
    stored.set("U9", { surface: "text a", idempotency_key: "a" });
    expect(await verify()).toEqual({ lost: [], altered: [], twice: ["U9"], stored: 4 });
  });

  it("C1: takes a repeated capture that became an alias for the same record", async () => {
    stored.delete("U0");
    stored.set("U8", { surface: "text a", idempotency_key: "a" });
    aliases.set("U0", "U8");
    expect(await verify()).toEqual({ lost: [], altered: [], twice: [], stored: 3 });
  });
});
