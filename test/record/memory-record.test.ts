import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { RECORD_ATTRIBUTES_BYTES_MAX, RECORD_TEXT_BYTES_MAX } from "../../src/record/limits.ts";
import { parseRecord, withDefaults } from "../../src/record/memory-record.ts";

const FULL = {
  surface: " kept as it is \r\n",
  cue: "cue",
  tier: "procedural",
  session_id: "s",
  role: "tool",
  project: "p",
  source: "src",
  occurred_at: "2026-03-01T09:30:00+01:00",
  tags: ["a", "b"],
  metadata: { deep: [{ x: null }] },
  priority: "low",
  idempotency_key: "k",
  supersedes: ["01JQ7Z8X9YABCDEFGHJKMNPQRS"],
} as const;

function refusal(input: unknown): MemspoolError {
  try {
    parseRecord(input);
  } catch (error) {
    if (error instanceof MemspoolError) return error;
    throw error;
  }
  throw new Error("was accepted");
}

describe("a record", () => {
  it("Q3: keeps every field as given and adds none", () => {
    expect(parseRecord(FULL)).toEqual(FULL);
    expect(Object.keys(parseRecord({ surface: "" }))).toEqual(["surface"]);
  });

  it("Q3: absent tier, project and priority mean episodic, none and normal", () => {
    const defaults = { tier: "episodic", project: "", priority: "normal" };
    expect(withDefaults({ surface: "x" })).toEqual({ surface: "x", ...defaults });
  });

  it.each([
    [{}, "surface is required"],
    [{ surface: 5 }, "surface must be of type string"],
    [{ surface: "x", tier: "eternal" }, "tier must be one of"],
    [{ surface: "x", role: "robot" }, "role must be one of"],
    [{ surface: "x", colour: "red" }, 'unknown argument "colour"'],
    [{ surface: "x", occurred_at: "yesterday" }, "occurred_at is not an ISO 8601"],
    [{ surface: "x", supersedes: ["short"] }, "supersedes.0 is not a ULID"],
    [{ surface: "x", project: "p".repeat(1_025) }, "project is 1025 bytes of UTF-8"],
    [{ surface: "x", tags: new Array(65).fill("t") }, "tags"],
    [{ surface: "x", metadata: { at: new Date(0) } }, "metadata"],
    ["text", "the input must be of type object"],
    [null, "the input must be of type object"],
  ])("T11: refuses %j and says %j", (input, problem) => {
    const error = refusal(input);
    expect(error.code).toBe("RECORD_INVALID");
    expect(error.message).toContain(problem);
  });

  it("Q3: names limit and size of a text that is too large", () => {
    expect(parseRecord({ surface: "é".repeat(RECORD_TEXT_BYTES_MAX / 2) }).surface).toHaveLength(
      RECORD_TEXT_BYTES_MAX / 2,
    );
    const error = refusal({ surface: `${"é".repeat(RECORD_TEXT_BYTES_MAX / 2)}x` });
    expect(error.code).toBe("RECORD_TOO_LARGE");
    expect(error.message).toContain("1048577 bytes, the limit is 1048576");
  });

  it("X2: bounds everything beside the text, and how deep metadata goes", () => {
    const big = { surface: "x", metadata: { a: "m".repeat(RECORD_ATTRIBUTES_BYTES_MAX) } };
    expect(refusal(big).code).toBe("RECORD_TOO_LARGE");
    const deep = JSON.parse(`${'{"a":'.repeat(70)}1${"}".repeat(70)}`);
    expect(refusal({ surface: "x", metadata: deep }).message).toContain("nested deeper");
  });

  it("X2: metadata whose objects hold one another is refused before it is walked", () => {
    const knot: Record<string, unknown> = {};
    Object.assign(knot, { one: knot, other: knot });
    expect(refusal({ surface: "x", metadata: knot }).code).toBe("RECORD_TOO_LARGE");
    const ring: Record<string, unknown> = {};
    ring.next = ring;
    expect(refusal({ surface: "x", metadata: ring }).code).toBe("RECORD_INVALID");
  });

  it("Q3: keeps a metadata key that is called __proto__", () => {
    const input = JSON.parse('{"surface":"x","metadata":{"__proto__":{"a":1}}}');
    expect(JSON.stringify(parseRecord(input).metadata)).toBe('{"__proto__":{"a":1}}');
  });

  it("L1: refusals do not repeat the record's text", () => {
    const secret = "s3cret-words";
    for (const input of [
      { surface: secret, tier: secret },
      { surface: { [secret]: 1 } },
      { surface: "x", occurred_at: secret },
    ]) {
      expect(refusal(input).message).not.toContain(secret);
    }
  });
});
