import { expect, it } from "vitest";
import { importRecords } from "../../../src/memory/transfer/import.ts";
import type { ImportOptions } from "../../../src/memory/transfer/import-job.ts";
import { nodeDurableFs } from "../../../src/platform/durable-fs.ts";
import type { MemoryRecord } from "../../../src/record/memory-record.ts";
import { failureCode, MemoryBench } from "../../support/memory-bench.ts";

async function taking(bench: MemoryBench, text: string, options: ImportOptions = {}) {
  const parts = {
    fs: nodeDurableFs,
    layout: bench.layout,
    queue: bench.queue,
    store: bench.store,
    project: "",
    textBytesMax: 1_048_576,
    makeRoom: async () => {},
    knownKeys: async () => new Set<string>(),
  };
  async function* chunks() {
    // In pieces that end anywhere, as a pipe gives them.
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
  }
  const bytes = Buffer.from(text, "utf8");
  return importRecords(parts, chunks(), options);
}

async function records(bench: MemoryBench): Promise<MemoryRecord[]> {
  const found: MemoryRecord[] = [];
  await bench.queue.ingestPending((record) => void found.push(record));
  return found;
}

const ADA =
  '{"type":"entity","name":"Ada","entityType":"person","observations":["likes tea","e\u0301 \\ud800"]}';
const OWNS = '{"type":"relation","from":"Ada","to":"Engine","relationType":"owns"}';
const BARE = '{"type":"entity","name":"Engine","entityType":"machine","observations":[]}';

it("S7: observations, relations and bare entities of the official server's file become records", async () => {
  const bench = await MemoryBench.open();
  const result = await taking(bench, `\ufeff${ADA}\r\n\n${BARE}\n${OWNS}`);
  expect(result).toMatchObject({ format: "server-memory", lines: 3, captured: 4, skipped: [] });
  const common = { tier: "semantic", source: "server-memory" };
  const key = expect.stringMatching(/^server-memory:[0-9a-f]{64}$/);
  const ada = { cue: "Ada", tags: ["person"], metadata: { entity: "Ada", entity_type: "person" } };
  expect(await records(bench)).toEqual([
    { surface: "likes tea", ...ada, ...common, idempotency_key: key },
    { surface: "e\u0301 \ud800", ...ada, ...common, idempotency_key: key },
    {
      surface: "Engine",
      cue: "Engine",
      tags: ["machine"],
      metadata: { entity: "Engine", entity_type: "machine" },
      ...common,
      idempotency_key: key,
    },
    {
      surface: "Ada owns Engine",
      tags: ["owns"],
      metadata: { from: "Ada", to: "Engine", relation_type: "owns" },
      ...common,
      idempotency_key: key,
    },
  ]);
});

it("S7: project and tags are added; the same line twice is captured once; again, keys are the same", async () => {
  const bench = await MemoryBench.open();
  const options = { project: "p", tags: ["t", "owns"] };
  expect(await taking(bench, `${OWNS}\n${OWNS}`, options)).toMatchObject({
    captured: 1,
    already_here: 1,
  });
  await taking(bench, OWNS, options);
  const found = await records(bench);
  expect(found.map(({ project, tags }) => ({ project, tags }))).toEqual([
    { project: "p", tags: ["owns", "t"] },
    { project: "p", tags: ["owns", "t"] },
  ]);
  expect(new Set(found.map(({ idempotency_key }) => idempotency_key)).size).toBe(1);
});

const ODD: [string, string, string][] = [
  ["is no JSON", "{oops", "is not JSON"],
  ["is no object", "[1]", "it is no JSON object"],
  ["is of another type", '{"type":"note"}', "its type is neither entity nor relation"],
  ["has no name", '{"type":"entity","entityType":"t","observations":[]}', "name is no text"],
  ["has no type", '{"type":"entity","name":"n","observations":[]}', "entityType is no text"],
  ["has no list", '{"type":"entity","name":"n","entityType":"t"}', "observations is no list"],
  ["has no end", '{"type":"relation","from":"a","relationType":"r"}', "to is no text"],
  [
    "has an observation that is no text",
    '{"type":"entity","name":"n","entityType":"t","observations":[{"x":1}]}',
    "observations[0] is no text",
  ],
  [
    "is too long for a record",
    `{"type":"entity","name":"n","entityType":"t","observations":["${"x".repeat(1_048_577)}"]}`,
    "RECORD_TOO_LARGE",
  ],
];

it.each(ODD)(
  "S7: a line that %s is told by its number, and the others go on",
  async (_, line, reason) => {
    const bench = await MemoryBench.open();
    const result = await taking(bench, [ADA, line, OWNS].join("\n"));
    expect(result).toMatchObject({ captured: 3, skipped: [{ line: 2, reason }], skipped_count: 1 });
    const strict = taking(bench, [BARE, line].join("\n"), { strict: true });
    expect(await failureCode(strict)).toBe("IMPORT_INVALID");
  },
);

it("S7: names too long for a cue or a tag, and fields of other programs, are kept in the metadata", async () => {
  const bench = await MemoryBench.open();
  const name = "n".repeat(5_000);
  const entityType = "t".repeat(2_000);
  const line = { type: "entity", name, entityType, observations: ["o"], createdAt: "2026" };
  expect((await taking(bench, JSON.stringify(line))).captured).toBe(1);
  const [record] = await records(bench);
  expect(record?.cue).toBeUndefined();
  expect(record?.tags).toBeUndefined();
  expect(record?.metadata).toEqual({
    entity: name,
    entity_type: entityType,
    fields: { createdAt: "2026" },
  });
});
