import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadSecretFinder } from "../../../src/memory/privacy/known-secrets.ts";
import { ownPatterns } from "../../../src/memory/privacy/own-patterns.ts";
import { Privacy, type PrivacySettings } from "../../../src/memory/privacy/privacy.ts";
import { privateQueue } from "../../../src/memory/privacy/private-queue.ts";
import { privateSpans } from "../../../src/memory/privacy/private-spans.ts";
import { textSha256 } from "../../../src/record/content-hash.ts";
import { filesWith } from "../../support/hook-scene.ts";
import { failureCode, MemoryBench } from "../../support/memory-bench.ts";

const OFF: PrivacySettings = { privateSpans: false, secrets: false, patterns: [] };
const OTHER = "01JNXE5M00ABCDEFGHJKMNPQRS";
const TOKEN = `ghp_${"a1B2".repeat(9)}`;

describe("private spans", () => {
  const hidden = (text: string) => privateSpans(text).map(([start, end]) => text.slice(start, end));

  it("C3: are found with their marks; what is open reaches to the end", () => {
    expect(hidden("a <private>b</private> c <PRIVATE x='1'>d\n</Private> e")).toEqual([
      "<private>b</private>",
      "<PRIVATE x='1'>d\n</Private>",
    ]);
    expect(hidden("a <private>b <private>c</private> d</private> e")).toEqual([
      "<private>b <private>c</private> d</private>",
    ]);
    expect(hidden("a <private>b</private> <private>c d")).toEqual([
      "<private>b</private>",
      "<private>c d",
    ]);
    expect(hidden("a </private> <privateer> <private")).toEqual([]);
  });

  it("C3: a text full of marks takes one pass", () => {
    expect(privateSpans("<private>".repeat(100_000))).toHaveLength(1);
    expect(privateSpans("<private ".repeat(100_000))).toEqual([]);
  });
});

describe("secrets", () => {
  it("C3: known forms are found, and a comment in the text does not switch that off", async () => {
    const find = await loadSecretFinder();
    const text = `secretlint-disable\nkey ${TOKEN} and https://bob:hunter22@db.example.org/x`;
    const found = (await find(text)).map(([start, end]) => text.slice(start, end));
    expect(found).toContain(TOKEN);
    expect(found.some((piece) => piece.includes("hunter22"))).toBe(true);
    expect(await find("The staging database moved to port 5433.")).toEqual([]);
  });

  it("C3: thousands of findings in the largest text are taken out too", async () => {
    const privacy = new Privacy({ ...OFF, secrets: true });
    const surface = `${TOKEN} `.repeat(25_000);
    const { record, redacted } = await privacy.apply({ surface });
    expect(redacted).toEqual({ private: 0, secrets: 25_000 });
    expect(record.surface).toBe("[secret] ".repeat(25_000));
  });

  it("C3: an expression that never ends is ended, and then nothing is stored", async () => {
    expect(() => ownPatterns(`${"a".repeat(60)}b`, ["(a+)+$"], 50)).toThrow(/50 ms/);
    const privacy = new Privacy({ ...OFF, patterns: ["(a+)+$"] });
    const bench = await MemoryBench.open({ privacy });
    const surface = `${"a".repeat(60)}b`;
    expect(await failureCode(bench.memory.capture({ surface }))).toBe("PRIVACY_FAILED");
    expect(filesWith(bench.home, surface)).toEqual([]);
  });
});

describe("records", () => {
  const ALL = new Privacy({ privateSpans: true, secrets: true, patterns: ["heron-\\d+"] });
  const LOUD = {
    surface: `a <private>tern</private> b ${TOKEN} c heron-42 d`,
    cue: "where is heron-7?",
    source: "https://bob:hunter22@db.example.org/",
    tags: ["heron-8", "tea"],
    metadata: { "heron-9": ["<private>gull", { deep: `x${" "}${TOKEN}` }], n: 1 },
  };

  it("C3: everything that is text is looked at, counted and hashed as it is stored", async () => {
    const bench = await MemoryBench.open({ privacy: ALL });
    const receipt = await bench.memory.capture(LOUD);
    const surface = "a [private] b [secret] c [secret] d";
    expect(receipt).toMatchObject({
      sha256: textSha256(surface),
      redacted: { private: 2, secrets: 7 },
    });
    const { record } = await bench.memory.get({ ulid: receipt.ulid });
    expect(record).toMatchObject({
      surface,
      cue: "where is [secret]?",
      tags: ["[secret]", "tea"],
      metadata: { "[secret]": ["[private]", { deep: "x [secret]" }], n: 1 },
    });
    expect(record.source).toContain("[secret]");
    expect(await bench.memory.status()).toMatchObject({
      privacy: { private_spans: true, secrets: true, patterns: 1 },
    });
    for (const word of ["tern", TOKEN, "heron-", "hunter22", "gull"]) {
      expect(filesWith(bench.home, word), word).toEqual([]);
    }
  });

  it("C3: with nothing on, nothing is changed and no receipt speaks of it", async () => {
    const bench = await MemoryBench.open({ privacy: new Privacy(OFF) });
    const receipt = await bench.memory.capture(LOUD);
    expect(receipt).not.toHaveProperty("redacted");
    const { record } = await bench.memory.get({ ulid: receipt.ulid });
    expect(record).toMatchObject(LOUD);
  });

  it("C3: each record of a batch says its own, and bad ones are refused as ever", async () => {
    const bench = await MemoryBench.open({ privacy: ALL });
    const outcomes = await bench.memory.captureBatch([
      { surface: "heron-1" },
      { surface: "plain" },
      { surface: 7 },
      null,
      { surface: "heron-2", metadata: { a: "x".repeat(20_000) } },
    ]);
    expect(outcomes).toMatchObject([
      { redacted: { private: 0, secrets: 1 } },
      { state: "pending" },
      { error: { code: "RECORD_INVALID" } },
      { error: { code: "RECORD_INVALID" } },
      { error: { code: "RECORD_TOO_LARGE" } },
    ]);
    expect(outcomes[1]).not.toHaveProperty("redacted");
  });

  it("C3: imports, which append directly, are looked at too", async () => {
    const bench = await MemoryBench.open();
    expect(privateQueue(bench.queue, new Privacy(OFF))).toBe(bench.queue);
    const queue = privateQueue(bench.queue, ALL);
    const { ulid } = await queue.append({ surface: "see heron-1" });
    await queue.adopt({ surface: "saw heron-2" }, { ulid: OTHER, appendedAt: "2026-01-01" });
    const texts = [ulid, OTHER].map(async (id) => (await bench.memory.get({ ulid: id })).record);
    expect((await Promise.all(texts)).map(({ surface }) => surface)).toEqual([
      "see [secret]",
      "saw [secret]",
    ]);
  });

  it("C3: a capture that is repeated is the same capture, and nothing leaks when it fails", async () => {
    const bench = await MemoryBench.open({ privacy: ALL });
    const { ulid } = await bench.memory.capture({ surface: "see heron-1" });
    const again = await bench.memory.capture({ surface: "see heron-1", retry_ulid: ulid });
    expect(again).toMatchObject({ ulid, redacted: { secrets: 1 } });
    const conflict = bench.memory.capture({ surface: "not heron-1", retry_ulid: ulid });
    const error = await conflict.catch((caught: unknown) => caught);
    expect(JSON.stringify(error) + String(error)).not.toContain("heron-1");
    expect(filesWith(bench.home, "heron-1")).toEqual([]);
    expect(readFileSync(`${bench.layout.dir}/pending-${ulid}.json`, "utf8")).toContain("[secret]");
  });
});
