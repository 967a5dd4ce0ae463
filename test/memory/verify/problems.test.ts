import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { FINDINGS, type FindingKind } from "../../../src/memory/verify/findings.ts";
import { encodeMember } from "../../../src/queue/archive-member.ts";
import { reasonPath } from "../../../src/queue/quarantine.ts";
import { encodeReason } from "../../../src/queue/reason-file.ts";
import { segmentPath } from "../../../src/queue/spill-segment.ts";
import { textSha256 } from "../../../src/record/content-hash.ts";
import { encodeEnvelope } from "../../../src/record/envelope.ts";
import { flip, overflowNames, spill } from "../../support/spilled-segments.ts";
import { notesOf, problemsOf, sumOf, VerifyBench } from "../../support/verify-bench.ts";

/** Problems, as counts by kind, and the first one's examples. */
async function problems(bench: VerifyBench) {
  const report = await bench.verify();
  expect(report.ok).toBe(report.problems.length === 0);
  for (const { kind, advice } of report.problems) expect(advice).toBe(FINDINGS[kind].advice);
  return { report, found: problemsOf(report), examples: report.problems[0]?.examples };
}

/** Five records in the store. */
async function stored(): Promise<{ bench: VerifyBench; ulids: string[] }> {
  const bench = new VerifyBench();
  const ulids = await bench.captureMany(5);
  await bench.drain();
  return { bench, ulids };
}

describe("records that are gone", () => {
  it("V1: notices a pending file that was removed behind its back", async () => {
    const bench = new VerifyBench();
    const ulids = await bench.captureMany(4);
    unlinkSync(bench.path(ulids[2] as string));
    const { report, found, examples } = await problems(bench);
    expect(found).toEqual({ missing: 1 });
    expect(examples).toEqual([ulids[2]]);
    expect(sumOf(report)).toMatchObject({ captured: 4, pending: 3, missing: 1 });
  });

  it("V1: notices a row that was removed, and that the archive still has it", async () => {
    const { bench, ulids } = await stored();
    bench.sql(`DELETE FROM records WHERE ulid = '${ulids[1]}'`);
    const { report, found, examples } = await problems(bench);
    expect(found).toEqual({ archived_not_stored: 1, counts_differ: 1 });
    expect(examples).toEqual([ulids[1]]);
    expect(sumOf(report)).toMatchObject({ captured: 5, stored: 4, missing: 1 });
  });

  it("V1: notices a row that was removed when the archive was trimmed", async () => {
    const { bench, ulids } = await stored();
    bench.sql(`DELETE FROM records WHERE ulid = '${ulids[1]}'`);
    await bench.letGo();
    rmSync(bench.archiveFile());
    const { report, found } = await problems(bench);
    expect(found).toEqual({ missing: 1, counts_differ: 1 });
    expect(report.problems[0]?.examples).toEqual([ulids[1]]);
  });

  it("V1: notices a store that was removed as a whole", async () => {
    const { bench, ulids } = await stored();
    await bench.letGo();
    rmSync(dirname(bench.storeFile), { recursive: true });
    const { report, found } = await problems(bench);
    expect(found).toEqual({ archived_not_stored: 5 });
    expect(report.missing).toBe(ulids.length);
  });

  it("V1: an archived record that is pending or spilled again is on its way to the store", async () => {
    const bench = new VerifyBench();
    const ulids = await bench.captureMany(4);
    const bytes = ulids.map((ulid) => readFileSync(bench.path(ulid)));
    await bench.drain();
    await bench.letGo();
    rmSync(dirname(bench.storeFile), { recursive: true });
    for (const n of [0, 1, 2, 3]) writeFileSync(bench.path(ulids[n] as string), bytes[n] as Buffer);
    spill(bench.layout, ulids.slice(0, 2));
    const { report, found } = await problems(bench);
    expect(found).toEqual({});
    expect(sumOf(report)).toMatchObject({ captured: 4, pending: 2, spilled: 2 });
  });

  it("V1: notices a removed overflow segment by the ledger and by the audit log", async () => {
    const bench = new VerifyBench({ maxSize: 2 });
    await bench.captureMany(4);
    for (const name of overflowNames(bench.layout)) unlinkSync(segmentPath(bench.layout, name));
    expect((await problems(bench)).found).toEqual({ missing: 2 });
    // The audit log alone says that they must be somewhere.
    unlinkSync(bench.ledgerFile());
    const { report, found } = await problems(bench);
    expect(found).toEqual({ missing: 2 });
    expect(sumOf(report)).toMatchObject({ captured: 4, pending: 2, missing: 2, unledgered: 4 });
  });

  it("V1: examples are bounded, the count is not", async () => {
    const bench = new VerifyBench();
    for (const ulid of await bench.captureMany(25)) unlinkSync(bench.path(ulid));
    const { report, examples } = await problems(bench);
    expect(report.problems).toMatchObject([{ kind: "missing", count: 25 }]);
    expect(examples).toHaveLength(10);
  });
});

describe("damage in the store", () => {
  const change = (column: string) => `UPDATE records SET ${column} WHERE id = 2`;
  it.each<[string, string, Partial<Record<FindingKind, number>>]>([
    [
      "text",
      change("record = replace(record, 'number', 'lumber')"),
      { row_text_changed: 1, terms_not_found: 1 },
    ],
    ["JSON", change("record = '{'"), { row_not_a_record: 1 }],
    ["project", change("project = 'other'"), { row_columns_differ: 1 }],
    [
      "index row",
      "DELETE FROM records_fts WHERE rowid = 2",
      { row_not_indexed: 1, terms_not_found: 1, counts_differ: 1 },
    ],
    [
      "words in the index",
      `DELETE FROM records_fts WHERE rowid = 2;
       INSERT INTO records_fts (rowid, terms) VALUES (2, 'three other words')`,
      { terms_not_found: 1 },
    ],
    ["totals", "UPDATE totals SET records = 7", { counts_differ: 1 }],
    ["tags", "INSERT INTO record_tags VALUES ('t', 99), ('t', 98)", { stray_tags: 2 }],
    [
      "alias",
      "INSERT INTO aliases VALUES ('01JQ7Z8X9YABCDEFGHJKMNPQRS', 'x', 'x', 'x')",
      { row_alias_of_nothing: 1, counts_differ: 1 },
    ],
  ])("V1: a changed %s is told", async (_, sql, expected) => {
    const { bench, ulids } = await stored();
    bench.sql(sql);
    const { report, found } = await problems(bench);
    expect(found).toEqual(expected);
    expect(report.missing).toBe(0);
    const row = report.problems.find(({ kind }) => kind.startsWith("row_") && !/alias/.test(kind));
    if (row !== undefined) expect(row.examples).toEqual([ulids[1]]);
  });
});

describe("damage in the queue", () => {
  it("V1: a damaged pending envelope is told, and counts as pending", async () => {
    const bench = new VerifyBench();
    const ulids = await bench.captureMany(3);
    const path = bench.path(ulids[1] as string);
    writeFileSync(path, readFileSync(path, "utf8").replace("number", "lumber"));
    const { report, found, examples } = await problems(bench);
    expect(found).toEqual({ pending_damaged: 1 });
    expect(examples).toEqual([ulids[1]]);
    expect(report.pending).toBe(3);
  });

  it("V1: a directory in an envelope's place is told", async () => {
    const bench = new VerifyBench();
    const [ulid] = await bench.captureMany(2);
    unlinkSync(bench.path(ulid as string));
    mkdirSync(bench.path(ulid as string));
    expect((await problems(bench)).found).toEqual({ pending_damaged: 1 });
  });

  it("V1: an envelope of a newer memspool is a note", async () => {
    const bench = new VerifyBench();
    const [ulid] = await bench.captureMany(2);
    const path = bench.path(ulid as string);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace('"schema_version":1', '"schema_version":2'));
    const { report } = await problems(bench);
    expect(report).toMatchObject({ ok: true, pending: 2 });
    expect(notesOf(report)).toEqual({ newer_schema: 1 });
  });

  it("V1: a damaged segment is told with its name, and what it lost is missing", async () => {
    const bench = new VerifyBench();
    const ulids = await bench.captureMany(40);
    const name = spill(bench.layout, ulids.slice(0, 20));
    flip(bench.layout, name, readFileSync(segmentPath(bench.layout, name)).length - 20);
    const { report, found } = await problems(bench);
    expect(found).toEqual({ missing: 4, segment_damaged: 1 });
    expect(report.problems.at(-1)?.examples).toEqual([name]);
    expect(sumOf(report)).toMatchObject({ captured: 40, pending: 20, spilled: 16, missing: 4 });
  });

  it("V1: a spilled line that is no whole envelope is told by its id", async () => {
    const bench = new VerifyBench();
    const [one, two] = await bench.captureMany(2);
    const path = bench.path(two as string);
    writeFileSync(path, readFileSync(path, "utf8").replace("number", "lumber"));
    spill(bench.layout, [one as string, two as string]);
    const { report, found, examples } = await problems(bench);
    expect(found).toEqual({ spilled_damaged: 1, segment_damaged: 1 });
    expect(examples).toEqual([two]);
    expect(report.spilled).toBe(2);
  });

  it("V1: a quarantined envelope's fault is a note", async () => {
    const bench = new VerifyBench();
    const [one, two] = await bench.captureMany(2);
    writeFileSync(bench.path(one as string), "{}");
    for (const ulid of [one, two]) {
      const name = `pending-${ulid}.json`;
      renameSync(bench.path(ulid as string), join(bench.layout.quarantineDir, name));
    }
    const { report } = await problems(bench);
    expect(report).toMatchObject({ ok: true, quarantined: 2, missing: 0 });
    expect(notesOf(report)).toEqual({ quarantined_damaged: 1 });
  });

  it("V1: an envelope that was whole when it was set aside, and is not any more, is told", async () => {
    const bench = new VerifyBench();
    const ulids = await bench.captureMany(3);
    for (const [n, ulid] of ulids.entries()) {
      const path = join(bench.layout.quarantineDir, `pending-${ulid}.json`);
      renameSync(bench.path(ulid), path);
      const code = ["IDEMPOTENCY_CONFLICT", "ENVELOPE_NOT_JSON", "STORE_REFUSED"][n] as string;
      const reason = { ulid, code, message: "why", attempts: 1, quarantined_at: "then" };
      writeFileSync(reasonPath(path), encodeReason(reason));
      if (n < 2) writeFileSync(path, "");
    }
    const { report, found, examples } = await problems(bench);
    expect(found).toEqual({ quarantined_changed: 1 });
    expect(examples).toEqual([`pending-${ulids[0]}.json`]);
    expect(report).toMatchObject({ ok: false, quarantined: 3 });
    expect(notesOf(report)).toEqual({ quarantined_damaged: 1 });
  });

  it("V1: a damaged segment in quarantine holds what it can name", async () => {
    const bench = new VerifyBench();
    const ulids = await bench.captureMany(3);
    const name = spill(bench.layout, ulids);
    renameSync(segmentPath(bench.layout, name), join(bench.layout.quarantineDir, name));
    const { report } = await problems(bench);
    expect(report).toMatchObject({ ok: true, quarantined: 3 });
    expect(notesOf(report)).toEqual({ quarantined_damaged: 1 });
  });

  it("V1: torn ledger lines are a note, and what stands behind them counts", async () => {
    const bench = new VerifyBench();
    const ulids = await bench.captureMany(3);
    const torn = `01JQ7Z8X${ulids[0]}\nnonsense\n${ulids[1]}\n${ulids[2]}\n01JQ`;
    writeFileSync(bench.ledgerFile(), torn);
    const { report } = await problems(bench);
    expect(report).toMatchObject({ ok: true, captured: 3, unledgered: 0 });
    expect(report.checked).toMatchObject({ ledger_lines: 3, torn_ledger_lines: 3 });
    expect(notesOf(report)).toEqual({ ledger_torn: 3 });
  });
});

describe("damage in archive and audit log", () => {
  it("V1: a damaged stretch of the archive is told", async () => {
    const { bench } = await stored();
    await bench.capture("another batch");
    await bench.drain();
    const path = bench.archiveFile();
    const bytes = readFileSync(path);
    bytes[60] = (bytes[60] as number) ^ 1;
    writeFileSync(path, bytes);
    const { report, found } = await problems(bench);
    expect(found).toEqual({ archive_damaged: 1 });
    expect(report.checked.archive_records).toBe(1);
  });

  it("V1: a whole member with a damaged envelope in it is told", async () => {
    const { bench, ulids } = await stored();
    const ulid = ulids[0] as string;
    const envelope = encodeEnvelope(ulid, "2026-03-01T09:30:00.000Z", '{"surface":"a"}', "x");
    const changed = Buffer.from(envelope.toString().replace('"a"', '"b"'));
    appendFileSync(bench.archiveFile(), encodeMember([changed]));
    const { found, examples } = await problems(bench);
    expect(found).toEqual({ archive_damaged: 1 });
    expect(examples).toEqual([ulid]);
  });

  it("V1: an archived id that the store never saw is told", async () => {
    const { bench } = await stored();
    const ulid = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
    const sha256 = textSha256("a");
    const at = "2026-03-01T09:30:00.000Z";
    const envelope = encodeEnvelope(ulid, at, '{"surface":"a"}', sha256);
    appendFileSync(bench.archiveFile(), encodeMember([envelope]));
    const { report, found, examples } = await problems(bench);
    expect(found).toEqual({ archived_not_stored: 1 });
    expect(examples).toEqual([ulid]);
    expect(sumOf(report)).toMatchObject({ captured: 6, stored: 5, missing: 1, unledgered: 1 });
  });

  it("V1: an archive file that ends in a torn batch is a note: its writer died", async () => {
    const { bench } = await stored();
    const path = bench.archiveFile();
    const { length } = readFileSync(path);
    for (const cut of [4, 30, length - 1]) {
      appendFileSync(path, readFileSync(path).subarray(0, length));
      truncateSync(path, length + cut);
      const { report } = await problems(bench);
      expect(report.ok).toBe(true);
      expect(notesOf(report)).toEqual({ archive_torn: 1 });
      expect(report.checked.archive_records).toBe(5);
      truncateSync(path, length);
    }
  });

  it("V1: a damaged audit line is told, and the others count", async () => {
    const bench = new VerifyBench({ maxSize: 1, overflow: "drop-oldest" });
    await bench.captureMany(4);
    const { auditFile } = bench.layout;
    const text = readFileSync(auditFile, "utf8");
    writeFileSync(auditFile, text.replace('"dropped"', '"droqqed"'));
    const { report, found } = await problems(bench);
    expect(found).toEqual({ missing: 1, audit_damaged: 1 });
    expect(report.problems.at(-1)?.examples).toEqual([".overflow-audit.log line 1"]);
    expect(sumOf(report)).toMatchObject({ captured: 4, pending: 1, dropped: 2, missing: 1 });
  });

  it("V1: a file that can not be read is told, and the rest is looked at", async () => {
    const { bench } = await stored();
    await bench.capture("pending");
    mkdirSync(join(bench.layout.doneDir, "20260101-00-abc.ndjson.gz"));
    mkdirSync(join(bench.layout.dir, ".ledger-20260101-00"));
    const { report, found, examples } = await problems(bench);
    expect(found).toEqual({ file_unreadable: 2 });
    expect([...(examples ?? [])].sort()).toEqual([
      ".ledger-20260101-00 (EISDIR)",
      "20260101-00-abc.ndjson.gz (EINVAL)",
    ]);
    expect(sumOf(report)).toMatchObject({ captured: 6, stored: 5, pending: 1 });
  });
});

it("V1: looking changes nothing on disk", async () => {
  const { bench } = await stored();
  await bench.capture("pending");
  const listing = () =>
    readdirSync(bench.home, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith("memspool.db"))
      .map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name), "base64")]);
  const before = listing();
  await bench.verify();
  expect(listing()).toEqual(before);
  expect(existsSync(bench.storeFile)).toBe(true);
});
