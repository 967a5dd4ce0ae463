/** The contract's sentences on candidates, and that the shared scorer makes BM25 of them. */
import { describe, expect, it } from "vitest";
import { indexTerms } from "../../src/text/terms.ts";
import { bm25Order, plainTerms, plainWords } from "../support/bm25-order.ts";
import {
  HOSTILE_STRINGS,
  idOf,
  itemOf,
  type OpenContractStore,
  type StoreBench,
  useStore,
} from "./store-bench.ts";

export function searchContract(open: OpenContractStore): void {
  const bench = useStore(open);
  describe("candidates", () => candidates(bench));
  describe("ranking", () => ranking(bench));
  describe("neighbours", () => neighbours(bench));
  describe("spellings", () => spellings(bench));
}

function neighbours(bench: StoreBench): void {
  it("S4: are the turns before and behind, of the same session and project", async () => {
    const turn = (n: number, session_id: string, project = "p") =>
      itemOf(n, { session_id, project });
    await bench.store.commitBatch([
      ...[1, 2, 3, 4, 5, 6].map((n) => turn(n, "s")),
      ...[11, 12].map((n) => turn(n, "s", "q")),
      ...[21, 22].map((n) => turn(n, "t")),
      itemOf(31),
    ]);
    const { records, links } = await bench.store.neighbours({
      ulids: [3, 4, 12, 31, 99].map(idOf),
      ...{ before: 1, behind: 2 },
    });
    const offsets = (of: number) =>
      links.filter((link) => link.of === idOf(of)).map(({ ulid, offset }) => [ulid, offset]);
    expect(offsets(3)).toEqual([
      ...[
        [idOf(2), -1],
        [idOf(4), 1],
        [idOf(5), 2],
      ],
    ]);
    expect(offsets(4)).toEqual([
      ...[
        [idOf(3), -1],
        [idOf(5), 1],
        [idOf(6), 2],
      ],
    ]);
    expect(offsets(12)).toEqual([[idOf(11), -1]]);
    expect([...offsets(31), ...offsets(99)]).toEqual([]);
    const ulids = records.map(({ ulid }) => ulid).sort();
    expect(ulids).toEqual([2, 3, 4, 5, 6, 11].map(idOf));
    expect(records.find(({ ulid }) => ulid === idOf(5))?.turn).toBe(5);
  });

  it("S4: of many are bounded", async () => {
    await bench.store.commitBatch(
      Array.from({ length: 60 }, (_, n) => itemOf(n, { session_id: "s" })),
    );
    const query = { ulids: [idOf(30)], before: 1_000, behind: 1_000 };
    const { links } = await bench.store.neighbours(query);
    expect(links.length).toBeLessThanOrEqual(20);
    expect(await bench.store.neighbours({ ...query, ulids: [] })).toEqual({
      records: [],
      links: [],
    });
  });
}

function spellings(bench: StoreBench): void {
  it("S4: are words of the texts that differ by a slip, by two in a long word, nearest first", async () => {
    await bench.store.commitBatch([
      itemOf(1, {
        surface: "accommodate accommodation receive received Straße",
        cue: "definitely",
      }),
      itemOf(2, { surface: "recipe café книга ab1c src/receiver.ts", tags: ["separate"] }),
    ]);
    const found = await bench.store.spellings([
      ...["acommodate", "recieve", "definately", "seperate", "strase", "caffe", "кнега", "abc"],
    ]);
    expect(Object.fromEntries(found)).toEqual({
      acommodate: ["accommodate"],
      recieve: ["receive"],
      definately: ["definitely"],
      seperate: ["separate"],
      strase: ["strasse"],
      caffe: ["cafe"],
      кнега: ["книга"],
      abc: [],
    });
  });

  it("S4: a word of another connection's batch is found as well", async () => {
    const other = await bench.openAnother();
    await other.commitBatch([itemOf(1, { surface: "heron" })]);
    await bench.store.commitBatch([itemOf(2, { surface: "heron stork" })]);
    expect((await bench.store.spellings(["herron"])).get("herron")).toEqual(["heron"]);
    expect((await other.spellings(["storck"])).get("storck")).toEqual(["stork"]);
  });

  it("S4: of any string are safe", async () => {
    await bench.store.commitBatch([itemOf(1, { surface: "a cat" })]);
    for (const text of Object.values(HOSTILE_STRINGS)) {
      expect((await bench.store.spellings([text])).get(text)).toBeInstanceOf(Array);
    }
  });
}

async function find(bench: StoreBench, query: string, countMax = 100): Promise<string[]> {
  const set = await bench.store.candidates({ terms: plainTerms(query), filter: {}, countMax });
  return bm25Order(set, query).map(({ ulid }) => ulid);
}

function candidates(bench: StoreBench): void {
  it("S4: come with the statistics of the whole store", async () => {
    await bench.store.commitBatch([
      itemOf(1, { surface: "one cat", project: "p" }),
      itemOf(2, { surface: "one dog and one bird", cue: "pets", tags: ["two-part"] }),
    ]);
    const set = await bench.store.candidates({
      terms: ["one", "cat", "zebra", "pet", "two-part"],
      filter: { projects: ["p"] },
      countMax: 10,
    });
    expect(set.candidates.map(({ ulid }) => ulid)).toEqual([idOf(1)]);
    expect(set.recordCount).toBe(2);
    expect(set.documentFrequency).toEqual({ one: 2, cat: 1, zebra: 0, pet: 1, "two-part": 1 });
    const terms =
      indexTerms("one cat").length + indexTerms("one dog and one bird pets two-part").length;
    expect(set.termCountMean).toBe(terms / 2);
  });

  it("S4: an empty store has none, and a question without terms finds none", async () => {
    const query = { terms: ["cat"], filter: {}, countMax: 10 };
    expect(await bench.store.candidates(query)).toEqual({
      candidates: [],
      newest: "",
      recordCount: 0,
      termCountMean: 0,
      documentFrequency: { cat: 0 },
    });
    await bench.store.commitBatch([itemOf(1)]);
    const set = await bench.store.candidates({ terms: [], filter: {}, countMax: 10 });
    expect(set.candidates).toEqual([]);
  });

  it("S4: are at most as many as asked for, the best first to be kept", async () => {
    const items = Array.from({ length: 30 }, (_, n) =>
      itemOf(n, { surface: n === 7 ? "cat cat cat" : `a cat and much else besides ${n}` }),
    );
    await bench.store.commitBatch(items);
    const set = await bench.store.candidates({ terms: ["cat"], filter: {}, countMax: 5 });
    expect(set.candidates).toHaveLength(5);
    expect(set.candidates.map(({ ulid }) => ulid)).toContain(idOf(7));
  });

  it("S4: leave out what arrived after a page began", async () => {
    await bench.store.commitBatch([1, 2, 3].map((n) => itemOf(n, { surface: "cat" })));
    const query = { terms: ["cat"], filter: {}, countMax: 10, ulidMax: idOf(2) };
    const set = await bench.store.candidates(query);
    expect(set.candidates.map(({ ulid }) => ulid).sort()).toEqual([idOf(1), idOf(2)]);
  });

  it("S4: are found by words whole and in parts, across case, accents, scripts and width", async () => {
    await bench.store.commitBatch([
      itemOf(1, { surface: "Edit src/store/MemoryStore.ts (v1.2.3) for jane.doe@example.com" }),
      itemOf(2, { surface: "Une École à Łódź" }),
      itemOf(3, { surface: "今日は良い天気ですね" }),
      itemOf(4, { surface: "서울에서 만나요 👍🏽" }),
      itemOf(5, { surface: "C++ and C#" }),
      itemOf(6, { surface: "nothing of the kind" }),
    ]);
    for (const [query, n] of [
      ["src/store/MemoryStore.ts", 1],
      ["memorystore.ts", 1],
      ["memory", 1],
      ["1.2.3", 1],
      ["JANE.DOE@EXAMPLE.COM", 1],
      ["ecole", 2],
      ["lodz", 2],
      ["天気", 3],
      ["天", 3],
      ["서울", 4],
      ["👍", 4],
      ["c#", 5],
    ] as const) {
      expect(await find(bench, query), query).toEqual([idOf(n)]);
    }
    expect(await find(bench, "zebra")).toEqual([]);
  });

  it("S4: any query string is safe", async () => {
    await bench.store.commitBatch([itemOf(1, { surface: "a cat" })]);
    const hostile = [
      ...Object.values(HOSTILE_STRINGS),
      '"',
      '""" OR "',
      "terms:cat",
      "cat*",
      "^cat",
      "NEAR(cat, 2)",
      "cat AND NOT",
      "(((",
      "-cat",
      "{terms}: cat",
      "x".repeat(10_240),
      '" '.repeat(5_000),
      "👍".repeat(5_000),
      Array.from({ length: 2_000 }, (_, n) => `w${n}`).join(" "),
    ];
    for (const query of hostile) expect(await find(bench, query)).toBeInstanceOf(Array);
    expect(await find(bench, 'cat" OR "')).toEqual([idOf(1)]);
  });

  it("S4: text with any characters is indexed without harm to the words beside them", async () => {
    const items = Object.values(HOSTILE_STRINGS).map((text, n) =>
      itemOf(n, { surface: `needle${n} ${text} haystack` }),
    );
    await bench.store.commitBatch(items);
    for (const n of items.keys()) expect(await find(bench, `needle${n}`)).toEqual([idOf(n)]);
    expect(await find(bench, "haystack")).toHaveLength(items.length);
  });
}

/** BM25 as in the books, over the terms of all texts; k1 1.2, b 0.75, weights above zero. */
function bm25(texts: readonly string[], query: string): number[] {
  const documents = texts.map((text) => indexTerms(text));
  const mean = documents.reduce((sum, { length }) => sum + length, 0) / documents.length;
  const scores = documents.map(() => 0);
  for (const { terms } of plainWords(query)) {
    const term = terms.find((each) => documents.some((document) => document.includes(each)));
    const holding = documents.filter((document) => document.includes(term ?? "")).length;
    const idf = Math.log(1 + (documents.length - holding + 0.5) / (holding + 0.5));
    for (const [n, document] of documents.entries()) {
      const count = document.filter((other) => other === term).length;
      const norm = 1.2 * (1 - 0.75 + (0.75 * document.length) / mean);
      scores[n] = (scores[n] as number) + (idf * count * 2.2) / (count + norm);
    }
  }
  return scores;
}

function ranking(bench: StoreBench): void {
  it("S4: the order is that of BM25 over the whole store", async () => {
    const words =
      "queue store lease ingester fsync archive spill mark claim settle the of and".split(" ");
    let seed = 42;
    const next = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    const texts = Array.from({ length: 200 }, () =>
      Array.from({ length: 3 + next(30) }, () => words[Math.min(next(13), next(13))]).join(" "),
    );
    await bench.store.commitBatch(texts.map((surface, n) => itemOf(n, { surface })));
    for (const query of ["claim", "queue settle", "the mark of the lease", words.join(" ")]) {
      const scores = bm25(texts, query);
      const found = (await find(bench, query, 500)).map((ulid) => Number(ulid.slice(10)));
      const holding = texts.flatMap((_, n) => ((scores[n] as number) > 0 ? [n] : []));
      expect(
        found.toSorted((a, b) => a - b),
        query,
      ).toEqual(holding);
      // Sums may differ in their last bits; scores that differ by more decide the order.
      for (let place = 1; place < found.length; place++) {
        const [better, worse] = [found[place - 1], found[place]].map((n) => scores[n as number]);
        expect(better, `${query}, place ${place}`).toBeGreaterThan((worse as number) - 1e-9);
      }
    }
  });

  it("S4: a superseded record ranks lower and says so", async () => {
    const surface = "the port of the server is 8080";
    await bench.store.commitBatch([
      itemOf(1, { surface }),
      itemOf(2, { surface, supersedes: [idOf(1)] }),
      itemOf(3, { surface, supersedes: [idOf(2)] }),
      itemOf(4, { surface: "nothing else" }),
    ]);
    expect(await find(bench, "server port")).toEqual([3, 2, 1].map(idOf));
    const set = await bench.store.candidates({ terms: ["port"], filter: {}, countMax: 9 });
    const superseded = set.candidates.map(({ ulid, supersededBy }) => [ulid, supersededBy]);
    expect(Object.fromEntries(superseded)).toEqual({
      [idOf(1)]: idOf(2),
      [idOf(2)]: idOf(3),
      [idOf(3)]: undefined,
    });
  });
}
