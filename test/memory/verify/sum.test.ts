import { readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { MemspoolError } from "../../../src/errors.ts";
import { NOTHING_FOUND, notesOf, sumOf, VerifyBench } from "../../support/verify-bench.ts";

const KEYED = { surface: "said twice", idempotency_key: "key" };

it("V1: a directory that was never made has nothing in it, and is not made", async () => {
  const bench = new VerifyBench();
  const report = await bench.verify();
  expect(report).toMatchObject({ ok: true, problems: [], notes: [], ...NOTHING_FOUND });
  expect(readdirSync(bench.home)).toEqual([]);
});

it("V1: counts every record once, by where it is", async () => {
  const bench = new VerifyBench();
  await bench.captureMany(5);
  await bench.capture(KEYED, KEYED);
  // The same key with another text ends in quarantine.
  await bench.capture({ ...KEYED, surface: "said otherwise" });
  await bench.drain();
  await bench.capture("waits", "waits too");
  const crowded = bench.openQueue({ maxSize: 2, overflow: "spill" });
  for (const surface of ["x", "y", "z"]) await crowded.append({ surface });
  const report = await bench.verify();
  expect(report.problems).toEqual([]);
  expect(report.ok).toBe(true);
  expect(sumOf(report)).toEqual({
    ...NOTHING_FOUND,
    captured: 13,
    stored: 6,
    duplicates: 1,
    quarantined: 1,
    pending: 2,
    spilled: 3,
  });
  expect(report.checked).toEqual({
    envelopes: 6,
    rows: 7,
    archive_records: 7,
    index_rows: 6,
    ledger_lines: 13,
    audit_lines: 3,
    torn_ledger_lines: 0,
  });
  expect(report.notes).toEqual([]);
});

it("V1: what drop-oldest lost on purpose is dropped, and nothing is missing", async () => {
  const bench = new VerifyBench({ maxSize: 2, overflow: "drop-oldest" });
  await bench.captureMany(5);
  expect(sumOf(await bench.verify())).toEqual({
    ...NOTHING_FOUND,
    captured: 5,
    pending: 2,
    dropped: 3,
  });
});

it("V1: a record in several places counts where it is best off", async () => {
  const bench = new VerifyBench();
  const [ulid] = await bench.capture("a");
  const bytes = readFileSync(bench.path(ulid as string));
  await bench.drain();
  // A name that comes back after a power cut.
  writeFileSync(bench.path(ulid as string), bytes);
  const report = await bench.verify();
  expect(sumOf(report)).toEqual({ ...NOTHING_FOUND, captured: 1, stored: 1 });
  expect(report.ok).toBe(true);
});

it("V1: the quick look counts the same and looks at no content", async () => {
  const bench = new VerifyBench();
  await bench.captureMany(3);
  await bench.capture(KEYED, KEYED);
  await bench.drain();
  const [spoilt] = await bench.capture("pending");
  writeFileSync(bench.path(spoilt as string), "not an envelope");
  bench.sql("UPDATE records SET record = '{}'");
  const quick = await bench.verify({ quick: true });
  const whole = await bench.verify();
  expect(sumOf(quick)).toEqual(sumOf(whole));
  expect(quick).toMatchObject({ ok: true, quick: true, captured: 6 });
  expect(whole).toMatchObject({ ok: false, quick: false });
});

it("V1: ids beyond one table are counted in further passes, each once", async () => {
  const bench = new VerifyBench();
  await bench.captureMany(100);
  await bench.drain();
  await bench.captureMany(100);
  await bench.capture(KEYED, KEYED);
  const missing = bench.pending().slice(0, 3);
  for (const ulid of missing) unlinkSync(bench.path(ulid));
  const steps: string[] = [];
  const report = await bench.verify(
    { onProgress: ({ step }) => void steps.push(step) },
    // 48 ids at a time: the whole is parted in five or more.
    { tableLimits: { slotsMax: 64 } },
  );
  expect(sumOf(report)).toEqual({
    ...NOTHING_FOUND,
    captured: 202,
    stored: 100,
    pending: 99,
    missing: 3,
  });
  expect(report.problems).toMatchObject([{ kind: "missing", count: 3 }]);
  expect([...(report.problems[0]?.examples ?? [])].sort()).toEqual(missing);
  expect(report.checked).toMatchObject({ rows: 100, envelopes: 99, ledger_lines: 202 });
  expect(
    steps.filter((step, n) => step === "ledger" && steps[n - 1] !== step).length,
  ).toBeGreaterThan(4);
});

it("V1: a record of before the ledger, or whose line a crash took, is counted and noted", async () => {
  const bench = new VerifyBench();
  const ulids = await bench.captureMany(3);
  await bench.drain();
  writeFileSync(bench.ledgerFile(), `${ulids[1]}\n`);
  const report = await bench.verify();
  expect(report.ok).toBe(true);
  expect(sumOf(report)).toEqual({ ...NOTHING_FOUND, captured: 3, stored: 3, unledgered: 2 });
  expect(notesOf(report)).toEqual({ unledgered: 2 });
});

it("V1: tells how far each step is, in the steps' order, to its end", async () => {
  const bench = new VerifyBench();
  await bench.captureMany(30);
  await bench.drain();
  await bench.captureMany(20);
  const told = new Map<string, { done: number; total: number }>();
  await bench.verify({ onProgress: ({ step, done, total }) => told.set(step, { done, total }) });
  expect([...told.keys()]).toEqual(
    expect.arrayContaining(["ledger", "pending", "store", "archive", "index"]),
  );
  for (const { done, total } of told.values()) expect(done).toBe(total);
  expect(told.get("pending")?.total).toBe(20);
  expect(told.get("store")?.total).toBe(30);
});

it("V1: an interruption ends it", async () => {
  const bench = new VerifyBench();
  await bench.captureMany(5);
  const stop = new AbortController();
  const interrupted = new Error("enough");
  const run = bench.verify({ signal: stop.signal, onProgress: () => stop.abort(interrupted) });
  await expect(run).rejects.toBe(interrupted);
});

it("V1: a store that is away is an error, not a finding", async () => {
  const bench = new VerifyBench();
  await bench.captureMany(2);
  await bench.drain();
  await bench.letGo();
  const away = new MemspoolError("STORE_UNAVAILABLE", "away");
  const { store } = await bench.parts();
  const broken = { ...store, auditRows: () => Promise.reject(away) };
  await expect(bench.verify({}, { store: broken })).rejects.toBe(away);
});
