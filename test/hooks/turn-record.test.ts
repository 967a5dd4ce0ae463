import { expect, it } from "vitest";
import { reportError } from "../../src/errors.ts";
import { checkTurnRecord } from "../../src/hooks/turn-record.ts";
import { type MemoryRecord, parseRecord } from "../../src/record/memory-record.ts";

const verdict = (check: typeof checkTurnRecord, record: MemoryRecord) => {
  try {
    return check(record, 100);
  } catch (error) {
    return reportError(error).code;
  }
};

it("C2: judges a hook's records as the record's own schema does", () => {
  const plain: MemoryRecord = { surface: "x", role: "user", source: "codex", metadata: { a: "b" } };
  const records: MemoryRecord[] = [
    plain,
    { ...plain, surface: "" },
    { ...plain, surface: "\u00e9".repeat(50) },
    { ...plain, surface: "\u00e9".repeat(51) },
    { ...plain, session_id: "s".repeat(1_024), project: "p", idempotency_key: "k" },
    { ...plain, session_id: "s".repeat(1_025) },
    { ...plain, project: "\u00e9".repeat(513) },
    { ...plain, source: "s".repeat(2_000) },
    { ...plain, idempotency_key: "k".repeat(2_000) },
    { ...plain, metadata: { a: "x".repeat(16_384) } },
    { ...plain, metadata: { a: "x".repeat(16_000), part: 1, of: 2 } },
  ];
  const verdicts = records.map((record) => verdict(checkTurnRecord, record));
  expect(verdicts).toEqual(records.map((record) => verdict(parseRecord, record)));
  expect(new Set(verdicts.filter((each) => typeof each === "string")).size).toBe(2);
});
