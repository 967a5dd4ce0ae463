import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { exportRecords } from "../../../src/memory/transfer/export.ts";
import { importRecords } from "../../../src/memory/transfer/import.ts";
import type { ImportOptions, ImportParts } from "../../../src/memory/transfer/import-job.ts";
import { nodeDurableFs } from "../../../src/platform/durable-fs.ts";
import { CaptureQueue } from "../../../src/queue/capture-queue.ts";
import { newSegmentName, segmentPath } from "../../../src/queue/spill-segment.ts";
import { textSha256 } from "../../../src/record/content-hash.ts";
import type { MemoryRecord } from "../../../src/record/memory-record.ts";
import type { MemoryStore, RecordFilter } from "../../../src/store/memory-store.ts";
import { HOSTILE_STRINGS } from "../../contract/store-bench.ts";
import { failureCode, MemoryBench } from "../../support/memory-bench.ts";

interface Line {
  ulid: string;
  appended_at: string;
  sha256: string;
  record: MemoryRecord;
  state?: string;
  duplicate_of?: string;
}

async function exported(bench: MemoryBench, filter?: RecordFilter, store?: MemoryStore) {
  let text = "";
  const sink = {
    write: async (piece: string) => {
      text += piece;
    },
  };
  const { layout, clock } = bench;
  const parts = { fs: nodeDurableFs, layout, clock, version: "0", store: store ?? bench.store };
  const result = await exportRecords(parts, sink, filter && { filter });
  const [header = "", ...lines] = text.trimEnd().split("\n");
  return { result, header, lines, items: lines.map((line) => JSON.parse(line) as Line), text };
}

function importing(bench: MemoryBench, changes: Partial<ImportParts> = {}) {
  const parts = { ...importParts(bench), ...changes };
  return (text: string | string[], options: ImportOptions = {}) =>
    importRecords(parts, chunksOf(typeof text === "string" ? [text] : text), options);
}

async function* chunksOf(chunks: Iterable<string>) {
  yield* chunks;
}

/** A record in every place, with texts that a careless format changes. */
async function everywhere(): Promise<MemoryBench> {
  const bench = await MemoryBench.open();
  const texts = Object.values(HOSTILE_STRINGS);
  await bench.captureStored(
    ...texts.map((surface) => ({ surface, cue: surface, project: surface })),
  );
  await bench.captureStored(
    { surface: "twice", idempotency_key: "k" },
    { surface: "twice", idempotency_key: "k" },
  );
  const [aside] = await bench.capture("set aside");
  bench.setAside(aside as string);
  await bench.capture({ surface: "pending", metadata: { ["__proto__"]: 1, b: [{ a: null }] } });
  return bench;
}

describe("export and import", () => {
  it("S7: export, import into an empty home, export: the same lines, drained or not", async () => {
    const source = await everywhere();
    const first = await exported(source);
    expect(first.result).toEqual({
      exported: Object.keys(HOSTILE_STRINGS).length + 4,
      duplicates: 1,
      quarantined: 1,
      unreadable: [],
    });
    const target = await MemoryBench.open();
    const taken = await importing(target)(first.text);
    expect(taken).toMatchObject({ captured: first.lines.length, conflict_count: 0 });
    for (const { ulid } of first.items) await target.ingest(ulid);
    const plain = (lines: string[]) => lines.map((l) => l.replace('"state":"quarantined",', ""));
    expect(plain((await exported(target)).lines)).toEqual(plain(first.lines));
    const texts = first.items.map(({ record }) => record.surface);
    for (const text of Object.values(HOSTILE_STRINGS)) expect(texts).toContain(text);
  });

  it("S7: is in the order of ids, and says what was set aside and what is a duplicate", async () => {
    const { items, header } = await exported(await everywhere());
    expect(items.map(({ ulid }) => ulid)).toEqual(items.map(({ ulid }) => ulid).sort());
    expect(JSON.parse(header)).toMatchObject({ memspool_export: 1 });
    const twice = items.filter(({ record }) => record.surface === "twice");
    expect(twice.map((item) => item.duplicate_of)).toEqual([undefined, twice[0]?.ulid]);
    expect(
      items.filter(({ state }) => state === "quarantined").map((i) => i.record.surface),
    ).toEqual(["set aside"]);
  });

  it("S7: spilled records are exported, too", async () => {
    const bench = await MemoryBench.open();
    const queue = new CaptureQueue({ queueDir: bench.layout.dir, maxSize: 10 });
    const texts = Array.from({ length: 40 }, (_, n) => `text ${n}`);
    for (const surface of texts) await queue.append({ surface });
    await queue.close();
    expect(readdirSync(bench.layout.overflowDir).length).toBeGreaterThan(1);
    const { items } = await exported(bench);
    expect(items.map(({ record }) => record.surface)).toEqual(texts);
    const again = await importing(bench)((await exported(bench)).text);
    expect(again).toMatchObject({ captured: 0, already_here: 40 });
  });

  it("S7: a filter leaves out what a search would leave out", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored({ surface: "a", tags: ["x", "y"] }, { surface: "b", tags: ["x"] });
    await bench.capture({ surface: "c", tags: ["y", "x"], project: "p" });
    const surfaces = async (filter: RecordFilter) =>
      (await exported(bench, filter)).items.map(({ record }) => record.surface);
    expect(await surfaces({ tags: ["x", "y"] })).toEqual(["a", "c"]);
    expect(await surfaces({ projects: ["p"] })).toEqual(["c"]);
    expect(await surfaces({ sinceMs: Date.now() + 60_000 })).toEqual([]);
  });

  it("S7: records that are ingested while it runs are in it, once", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture(...Array.from({ length: 30 }, (_, n) => `text ${n}`));
    let asked = 0;
    const store = {
      stats: () => bench.store.stats(),
      exportRows: async (query: Parameters<MemoryStore["exportRows"]>[0]) => {
        const rows = await bench.store.exportRows({ ...query, countMax: 4 });
        // After the page was read, some of what it would have held arrives.
        const moving = ulids.slice(asked * 3, asked * 3 + 3);
        asked++;
        for (const ulid of moving) await bench.ingest(ulid);
        return rows;
      },
    } as MemoryStore;
    const { items } = await exported(bench, undefined, store);
    expect(asked).toBeGreaterThan(4);
    expect(items.map(({ ulid }) => ulid)).toEqual(ulids);
  });

  it("S7: what can not be read is named", async () => {
    const bench = await MemoryBench.open();
    const [ulid] = await bench.capture("spoilt", "whole");
    writeFileSync(bench.path(ulid as string), "{");
    const { result, items } = await exported(bench);
    expect(result.unreadable).toEqual([`pending-${ulid}.json`]);
    expect(items.map(({ record }) => record.surface)).toEqual(["whole"]);
  });

  it("S7: what is no file where a segment should be is named, and stops nothing", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("whole");
    const name = newSegmentName(ulid, ulid, 1);
    mkdirSync(segmentPath(bench.layout, name), { recursive: true });
    const { result, items } = await exported(bench);
    expect(result.unreadable).toEqual([name]);
    expect(items.map(({ record }) => record.surface)).toEqual(["whole"]);
  });
});

describe("import", () => {
  it("S7: again, it stores nothing twice, wherever the records are by then", async () => {
    const { text, items } = await exported(await everywhere());
    const target = await MemoryBench.open();
    await importing(target)(text);
    expect(await importing(target)(text)).toMatchObject({
      captured: 0,
      already_here: items.length,
    });
    for (const { ulid } of items.slice(0, 5)) await target.ingest(ulid);
    target.setAside((items[5] as Line).ulid);
    expect(await importing(target)(text)).toMatchObject({
      captured: 0,
      already_here: items.length,
    });
  });

  it("S7: an id that is here with another text is told, and the others go on", async () => {
    const source = await MemoryBench.open();
    await source.capture("one", "two", "three");
    const { lines, header, items } = await exported(source);
    const target = await MemoryBench.open();
    const [one, two] = items as [Line, Line];
    await target.queue.adopt({ surface: "other" }, { ulid: two.ulid, appendedAt: two.appended_at });
    const twin = JSON.stringify({
      ...one,
      sha256: textSha256("uno"),
      record: { surface: "uno" },
    });
    const result = await importing(target)([header, ...lines, twin].join("\n"));
    expect(result).toMatchObject({ captured: 2, conflict_count: 2 });
    expect(result.conflicts.map(({ line }) => line)).toEqual([3, 5]);
    expect((await exported(target)).items.map(({ record }) => record.surface)).toEqual([
      "one",
      "other",
      "three",
    ]);
  });

  it.each<[string, (line: string) => string]>([
    ["whose text was changed", (line) => line.replace('"surface":"two"', '"surface":"too"')],
    ["without its hash", (line) => line.replace(/"sha256":"\w+",/, "")],
    ["with an id that is none", (line) => line.replace(/"ulid":"0/, '"ulid":"9')],
    ["with a field that no record has", (line) => line.replace('"surface"', '"a":1,"surface"')],
    ["that is cut", (line) => line.slice(0, -9)],
    ["of a newer export", () => '{"memspool_export":2}'],
    ["that is a list", () => "[]"],
  ])("S7: a line %s stops it by its number; what came before is captured", async (_, spoil) => {
    const source = await MemoryBench.open();
    await source.capture("one", "two", "three");
    const { lines, header } = await exported(source);
    const [one, two, three] = lines as [string, string, string];
    const target = await MemoryBench.open();
    const text = [header, one, "", spoil(two), three].join("\r\n");
    const failure = await importing(target)(text).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "IMPORT_INVALID", details: { line: 4 } });
    expect(String(failure)).not.toContain("two");
    expect(await target.queue.pendingCount()).toBe(1);
    expect(await importing(target)([header, ...lines].join("\n"))).toMatchObject({
      captured: 2,
      already_here: 1,
    });
  });

  it("S7: refuses what is neither format, nothing at all, and project or tags for an export", async () => {
    const bench = await MemoryBench.open();
    for (const text of ["", "\n\n", "hello", '{"a":1}', "{"]) {
      expect(await failureCode(importing(bench)(text))).toBe("IMPORT_INVALID");
    }
    const header = '{"memspool_export":1}';
    for (const options of [{ project: "p" }, { tags: ["t"] }]) {
      expect(await failureCode(importing(bench)(header, options))).toBe("INVALID_ARGUMENT");
    }
  });

  it("S7: reads on only as records become durable: what is held is bounded by a batch", async () => {
    const bench = await MemoryBench.open();
    let read = 0;
    let captured = 0;
    let ahead = 0;
    const queue = {
      append: async (record: MemoryRecord) => {
        ahead = Math.max(ahead, read - captured);
        const receipt = await bench.queue.append(record);
        captured++;
        return receipt;
      },
      adopt: bench.queue.adopt.bind(bench.queue),
    };
    async function* observations(count: number) {
      for (; read < count; ) {
        read++;
        const line = { type: "entity", name: `e${read}`, entityType: "t", observations: ["o"] };
        yield `${JSON.stringify(line)}\n`;
      }
    }
    const parts = { ...importParts(bench), queue };
    const result = await importRecords(parts, observations(300));
    expect(result.captured).toBe(300);
    expect(ahead).toBeLessThanOrEqual(129);
  });

  it("S7: a full queue is drained and the import goes on; one that stays full fails", async () => {
    const bench = await MemoryBench.open();
    const queueDir = bench.layout.dir;
    const queue = new CaptureQueue({ queueDir, maxSize: 10, overflow: "reject" });
    const line = (n: number) =>
      JSON.stringify({ type: "relation", from: `${n}`, to: "b", relationType: "r" });
    const text = Array.from({ length: 64 }, (_, n) => line(n)).join("\n");
    let drains = 0;
    const drain = async () => {
      drains++;
      for (const { ulid } of await queue.listPending()) await bench.ingest(ulid);
    };
    const full = importing(bench, { queue, makeRoom: async () => {} });
    expect(await failureCode(full(text))).toBe("QUEUE_FULL");
    const result = await importing(bench, { queue, makeRoom: drain, makeRoomEvery: 8 })(text);
    expect(result.captured).toBe(64);
    expect(drains).toBeGreaterThan(4);
    await queue.close();
  });
});

function importParts(bench: MemoryBench): ImportParts {
  return {
    fs: nodeDurableFs,
    layout: bench.layout,
    queue: bench.queue,
    store: bench.store,
    project: "",
    textBytesMax: 1_048_576,
    makeRoom: async () => {},
    knownKeys: async () => new Set(),
  };
}
