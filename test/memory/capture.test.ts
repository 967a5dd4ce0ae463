import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { captureFailure } from "../../src/memory/capture.ts";
import type { CaptureFailure, Receipt } from "../../src/memory/memory.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import { BATCH_BYTES_MAX } from "../../src/record/limits.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";

const isReceipt = (outcome: Receipt | CaptureFailure): outcome is Receipt => "ulid" in outcome;
const summary = (outcomes: readonly (Receipt | CaptureFailure)[]) =>
  outcomes.map((outcome) => (isReceipt(outcome) ? outcome.state : outcome.error.code));

function pendingNames({ layout }: MemoryBench): string[] {
  try {
    return readdirSync(layout.dir).filter((name) => name.startsWith("pending-"));
  } catch {
    return []; // no queue yet
  }
}

describe("capture", () => {
  it("T1: gives a receipt for the very text, and keeps the caller's object as it was", async () => {
    const bench = await MemoryBench.open({ project: "here" });
    const input = Object.freeze({ surface: " a heron\r\n\u0000 " });
    const receipt = await bench.memory.capture(input);
    expect(receipt).toEqual({
      ulid: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/),
      sha256: textSha256(input.surface),
      state: "pending",
      appended_at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const { record } = await bench.memory.get({ ulid: receipt.ulid });
    expect(record).toMatchObject({ surface: input.surface, project: "here" });
    expect(input).toEqual({ surface: " a heron\r\n\u0000 " });
  });

  it("T1: fills in the current project where none is named, and nowhere else", async () => {
    const cases = [
      ["here", undefined, "here"],
      ["here", "", ""],
      ["here", "there", "there"],
      ["", undefined, ""],
    ] as const;
    for (const [current, named, expected] of cases) {
      const bench = await MemoryBench.open({ project: current });
      const { ulid } = await bench.memory.capture({ surface: "x", project: named });
      expect((await bench.memory.get({ ulid })).record.project).toBe(expected);
    }
  });

  it("Q4: repeats an attempt under retry_ulid, and tells a conflict", async () => {
    const bench = await MemoryBench.open();
    bench.disk.fail({ method: "fsync", nth: 2, errno: "EIO" });
    const failed = await bench.memory.capture({ surface: "a heron" }).catch((error) => error);
    bench.disk.fail(undefined);
    expect(failed).toMatchObject({ code: "CAPTURE_FAILED", details: { stored: "unknown" } });
    const retry_ulid = failed.details.ulid;
    const again = await bench.memory.capture({ surface: "a heron", retry_ulid });
    expect(again.ulid).toBe(retry_ulid);
    const other = bench.memory.capture({ surface: "another", retry_ulid });
    expect(await failureCode(other)).toBe("ULID_CONFLICT");
    expect(pendingNames(bench)).toHaveLength(1);
  });

  it("Q1: an acknowledged capture stays one, whoever fails to hear of it", async () => {
    const bench = await MemoryBench.open();
    bench.onCaptured = () => {
      throw new Error("a broken hint");
    };
    const { ulid } = await bench.memory.capture({ surface: "a heron" });
    expect((await bench.memory.receipt(ulid)).state).toBe("pending");
    const { counters } = await bench.memory.status();
    expect(counters).toMatchObject({ captured: 1, capture_failures: 0 });
  });
});

describe("captureBatch", () => {
  it("T2: gives one outcome a record, in order, with ids in that order", async () => {
    const { memory } = await MemoryBench.open();
    const texts = Array.from({ length: 100 }, (_, n) => `text ${n}`);
    const receipts = await memory.captureBatch(texts.map((surface) => ({ surface })));
    expect(summary(receipts)).toEqual(texts.map(() => "pending"));
    expect(receipts).toMatchObject(texts.map((text) => ({ sha256: textSha256(text) })));
    const ulids = receipts.filter(isReceipt).map(({ ulid }) => ulid);
    expect([...new Set(ulids)].sort()).toEqual(ulids);
  });

  it("T2: a bad record refuses no other", async () => {
    const bench = await MemoryBench.open();
    const outcomes = await bench.memory.captureBatch([
      { surface: "first" },
      { surface: 7 },
      { surface: "x", colour: "red" },
      null,
      "text",
      [],
      { surface: "x".repeat(1_048_577) },
      { surface: "x", retry_ulid: "no id" },
      { surface: "last" },
    ]);
    expect(summary(outcomes)).toEqual([
      "pending",
      "RECORD_INVALID",
      "RECORD_INVALID",
      "RECORD_INVALID",
      "RECORD_INVALID",
      "RECORD_INVALID",
      "RECORD_TOO_LARGE",
      "INVALID_ARGUMENT",
      "pending",
    ]);
    for (const outcome of outcomes.slice(1, -1)) {
      expect(outcome).toMatchObject({ error: { stored: "no", retryable: false } });
    }
    expect(outcomes[2]).toMatchObject({ error: { message: expect.stringContaining('"colour"') } });
    expect(pendingNames(bench)).toHaveLength(2);
  });

  it("T2: a record that the disk refused says whether it may be there", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("the queue is there");
    bench.disk.fail({ method: "write", nth: 2, errno: "ENOSPC" });
    const texts = ["one", "two", "three"];
    const outcomes = await bench.memory.captureBatch(texts.map((surface) => ({ surface })));
    // Which of the three wrote second is the system's choice.
    expect(summary(outcomes).sort()).toEqual(["CAPTURE_FAILED", "pending", "pending"]);
    for (const [index, outcome] of outcomes.entries()) {
      if (isReceipt(outcome)) expect(outcome.sha256).toBe(textSha256(texts[index] ?? ""));
      else expect(outcome).toMatchObject({ error: { stored: "no", retryable: true } });
    }
    bench.disk.fail({ method: "fsync", errno: "EIO", nth: 2 });
    const [unsure] = await bench.memory.captureBatch([{ surface: "four" }]);
    expect(unsure).toMatchObject({
      error: { code: "CAPTURE_FAILED", stored: "unknown", ulid: expect.any(String) },
    });
  });

  it("T2: too many records or bytes capture nothing", async () => {
    const bench = await MemoryBench.open();
    const many = Array.from({ length: 101 }, (_, n) => ({ surface: `${n}` }));
    expect(await failureCode(bench.memory.captureBatch(many))).toBe("BATCH_TOO_LARGE");
    // Nine records, each within its own limit; é has two bytes.
    const part = "é".repeat(Math.ceil(BATCH_BYTES_MAX / 9 / 2));
    const heavy = Array.from({ length: 9 }, () => ({ surface: part }));
    const refused = await bench.memory.captureBatch(heavy).catch((error) => error);
    expect(refused).toMatchObject({
      code: "BATCH_TOO_LARGE",
      details: { limit_bytes: BATCH_BYTES_MAX, size_bytes: 9 * 2 * part.length },
    });
    expect(pendingNames(bench)).toEqual([]);
    expect(await bench.memory.captureBatch([])).toEqual([]);
  });

  it("T2: takes a batch at its limits", async () => {
    const bench = await MemoryBench.open();
    const part = "x".repeat(BATCH_BYTES_MAX / 8);
    const outcomes = await bench.memory.captureBatch(
      Array.from({ length: 8 }, () => ({ surface: part })),
    );
    expect(summary(outcomes)).toEqual(outcomes.map(() => "pending"));
    expect(pendingNames(bench)).toHaveLength(8);
  });

  it("T2: an outcome never claims more than is known, and shows no foreign text", () => {
    const foreign = captureFailure(new Error("something about a heron"));
    expect(foreign.error).toMatchObject({ code: "INTERNAL", stored: "unknown" });
    expect(JSON.stringify(foreign)).not.toContain("heron");
    const details = { stored: "unknown", ulid: "01ARZ3NDEKTSV4RRFFQ69G5FAV" } as const;
    const unsure = captureFailure(new MemspoolError("CAPTURE_FAILED", "It failed.", { details }));
    expect(unsure.error).toMatchObject(details);
  });
});
