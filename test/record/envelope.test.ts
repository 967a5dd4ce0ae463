import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CaptureQueueSchemaError, MemspoolError } from "../../src/errors.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import { decodeEnvelope, encodeEnvelope } from "../../src/record/envelope.ts";
import { type MemoryRecord, parseRecord } from "../../src/record/memory-record.ts";

const ULID = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
const OTHER = "01JQ7Z8X9YABCDEFGHJKMNPQRT";
const AT = "2026-03-01T09:30:00.000Z";

function encode(record: MemoryRecord, ulid = ULID): Buffer {
  const json = JSON.stringify(parseRecord(record));
  return encodeEnvelope(ulid, AT, json, textSha256(record.surface));
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof MemspoolError) return error.code;
    throw error;
  }
  return "none";
}

describe("the envelope", () => {
  it("Q2: is compact UTF-8 JSON with these keys in this order", () => {
    const text = encode({ surface: "é", tier: "semantic" }).toString("utf8");
    const sha256 = createHash("sha256").update("é").digest("hex");
    const body = `{"ulid":"${ULID}","appended_at":"${AT}","record":{"surface":"é","tier":"semantic"},"schema_version":1,"sha256":"${sha256}"`;
    const checksum = createHash("sha256").update(body).digest("hex");
    expect(text).toBe(`${body},"checksum":"${checksum}"}`);
  });

  it("Q2: comes back equal, its record's own JSON included", () => {
    const record = { surface: "a\u0000b\ud800", tags: ["x"], metadata: { "1": 1, b: [null] } };
    const envelope = decodeEnvelope(encode(record), ULID);
    expect(envelope.record).toEqual(record);
    expect(envelope.recordJson).toBe(JSON.stringify(parseRecord(record)));
    expect(envelope).toMatchObject({ ulid: ULID, appendedAt: AT });
  });

  it("Q2: notices every truncation", () => {
    const bytes = encode({ surface: "some words to lose" });
    for (let length = 0; length < bytes.length; length++) {
      expect(codeOf(() => decodeEnvelope(bytes.subarray(0, length), ULID))).toMatch(/^ENVELOPE_/);
    }
  });

  it("Q2: notices every flipped bit", () => {
    const bytes = encode({ surface: "wörter", cue: "c" });
    for (let at = 0; at < bytes.length * 8; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at >> 3] = (flipped[at >> 3] as number) ^ (1 << (at & 7));
      expect(codeOf(() => decodeEnvelope(flipped, ULID))).toMatch(/^(ENVELOPE_|SCHEMA_VERSION)/);
    }
  });

  it("Q2: notices bytes behind the end and a file under another id's name", () => {
    const bytes = encode({ surface: "words" });
    expect(codeOf(() => decodeEnvelope(Buffer.concat([bytes, Buffer.from("\n")]), ULID))).toBe(
      "ENVELOPE_CHECKSUM_MISMATCH",
    );
    expect(codeOf(() => decodeEnvelope(bytes, OTHER))).toBe("ENVELOPE_ID_MISMATCH");
  });

  it("Q2: judges JSON, schema_version, id, checksum, record in this order", () => {
    const all = { schema_version: 99, ulid: OTHER, checksum: "", record: 1 };
    const judge = (content: object | string) => {
      const text = typeof content === "string" ? content : JSON.stringify(content);
      return codeOf(() => decodeEnvelope(Buffer.from(text), ULID));
    };
    expect(judge(`${JSON.stringify(all)}}`)).toBe("ENVELOPE_NOT_JSON");
    expect(judge("[1]")).toBe("ENVELOPE_NOT_JSON");
    expect(judge(all)).toBe("SCHEMA_VERSION_UNSUPPORTED");
    expect(judge({ ...all, schema_version: 1 })).toBe("ENVELOPE_ID_MISMATCH");
    expect(judge({ ...all, schema_version: 1, ulid: ULID })).toBe("ENVELOPE_CHECKSUM_MISMATCH");
    const wrongRecord = encodeEnvelope(ULID, AT, '{"surface":1}', textSha256(""));
    expect(codeOf(() => decodeEnvelope(wrongRecord, ULID))).toBe("ENVELOPE_RECORD_INVALID");
  });

  it("Q10: names schema_version and its value", () => {
    const text = encode({ surface: "x" }).toString().replace('_version":1', '_version":99');
    expect(() => decodeEnvelope(Buffer.from(text), ULID)).toThrow(CaptureQueueSchemaError);
    expect(() => decodeEnvelope(Buffer.from(text), ULID)).toThrow(/schema_version 99/);
  });

  it("X2: a schema_version of any size and depth makes a short message", () => {
    for (const version of [`"${"9".repeat(100_000)}"`, `${"[".repeat(1e5)}1${"]".repeat(1e5)}`]) {
      const act = () => decodeEnvelope(Buffer.from(`{"schema_version":${version}}`), ULID);
      expect(act).toThrow(CaptureQueueSchemaError);
      expect(act).toThrow(/^.{1,250}$/);
    }
  });

  it("X2: metadata too deep for the schema is the record's fault, not a crash of its reader", () => {
    const deep = `{"surface":"x","metadata":${'{"a":'.repeat(1e5)}1${"}".repeat(1e5)}}`;
    const bytes = encodeEnvelope(ULID, AT, deep, textSha256("x"));
    expect(codeOf(() => decodeEnvelope(bytes, ULID))).toBe("ENVELOPE_RECORD_INVALID");
  });

  it("Q3: keeps any string, hash included, whatever its code units", () => {
    const anyString = fc.string({
      unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    });
    fc.assert(
      fc.property(anyString, anyString, (surface, cue) => {
        const envelope = decodeEnvelope(encode({ surface, cue: cue.slice(0, 100) }), ULID);
        expect(envelope.record.surface).toBe(surface);
        expect(envelope.sha256).toBe(textSha256(surface));
      }),
      { numRuns: 300 },
    );
  });
});
