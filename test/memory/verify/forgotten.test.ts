import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { placeOrder } from "../../../src/queue/forget-order.ts";
import { generateUlid } from "../../../src/record/record-id.ts";
import { NOTHING_FOUND, notesOf, sumOf, VerifyBench } from "../../support/verify-bench.ts";

function order(bench: VerifyBench, ...ulids: string[]): void {
  const at = new Date().toISOString();
  placeOrder(nodeDurableFsSync, bench.layout, {
    request: generateUlid(),
    at,
    reason: "requested",
    ulids,
  });
}

it("V1: forgotten records are counted, and the archive without them is whole", async () => {
  const bench = new VerifyBench();
  const same = { surface: "said twice", idempotency_key: "k" };
  const [one = "", , three = ""] = await bench.capture(same, same, "stays", "stays too");
  await bench.drain();
  const [waiting = ""] = await bench.capture("pending");
  order(bench, one, waiting);
  await bench.drain();
  const report = await bench.verify();
  expect(report.problems).toEqual([]);
  expect(sumOf(report)).toEqual({ ...NOTHING_FOUND, captured: 5, stored: 2, forgotten: 3 });
  order(bench, three);
  await bench.drain();
  expect(sumOf(await bench.verify({ quick: true }))).toMatchObject({ stored: 1, forgotten: 4 });
});

it("V1: what is being forgotten is a note and no problem", async () => {
  const bench = new VerifyBench();
  const [one = ""] = await bench.capture("alpha", "stays");
  await bench.drain();
  order(bench, one);
  await bench.letGo();
  const before = await bench.verify();
  expect([before.ok, sumOf(before).stored]).toEqual([true, 2]);
  // The transaction is through, and the files are not.
  bench.sql(
    `INSERT INTO tombstones SELECT ulid, '${one}', '', 'requested', NULL FROM records
       WHERE ulid = '${one}'`,
    `DELETE FROM records_fts WHERE rowid = (SELECT id FROM records WHERE ulid = '${one}')`,
    `DELETE FROM records WHERE ulid = '${one}'`,
    "UPDATE totals SET records = 1",
  );
  await bench.letGo();
  const between = await bench.verify();
  expect(between.problems).toEqual([]);
  expect(sumOf(between)).toMatchObject({ captured: 2, stored: 1, forgotten: 1 });
  expect(notesOf(between)).toEqual({ being_forgotten: 1 });
});

it("V1: a forgotten record that lies somewhere is a problem that says what to do", async () => {
  const bench = new VerifyBench();
  const [one = ""] = await bench.capture("alpha", "stays");
  const bytes = readFileSync(bench.path(one));
  await bench.drain();
  order(bench, one);
  await bench.drain();
  writeFileSync(bench.path(one), bytes);
  const report = await bench.verify();
  expect(report.problems).toMatchObject([{ kind: "forgotten_left", count: 1, examples: [one] }]);
  expect(report.problems[0]?.advice).toContain("memspool forget");
  expect(sumOf(report)).toMatchObject({ captured: 2, stored: 1, forgotten: 1 });
  await bench.drain();
  expect((await bench.verify()).problems).toEqual([]);
});
