import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { sumOf, VerifyBench } from "../../support/verify-bench.ts";

/** Batches of captures; each ends long before the limit on records is ever reached. */
const ROUNDS = 40;
const ROUND_CAPTURES = 10;

it("V1: calls nothing missing while captures, spills and drains go on, and is exact afterwards", async () => {
  // So small a queue spills all the time.
  const bench = new VerifyBench({ maxSize: 15 });
  const acknowledged = new Set<string>();
  let capturing = true;
  const capture = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const texts = Array.from({ length: ROUND_CAPTURES }, (_, n) => `round ${round} text ${n}`);
      const ulids = await Promise.all(texts.map((text) => bench.capture(text)));
      for (const ulid of ulids.flat()) acknowledged.add(ulid);
    }
    capturing = false;
  };
  const drain = async (): Promise<void> => {
    while (capturing) {
      await bench.drain();
      await nextTurn();
    }
  };
  const looks: { known: number; captured: number; missing: number; problems: unknown[] }[] = [];
  const look = async (): Promise<void> => {
    do {
      const known = acknowledged.size;
      const { captured, missing, problems } = await bench.verify();
      looks.push({ known, captured, missing, problems });
    } while (capturing);
  };
  await bench.capture("the first");
  await bench.drain();
  await Promise.all([capture(), drain(), look()]);
  expect(looks.length).toBeGreaterThan(1);
  for (const { known, captured, missing, problems } of looks) {
    expect(problems).toEqual([]);
    expect(missing).toBe(0);
    expect(captured).toBeGreaterThanOrEqual(known);
  }
  const after = await bench.verify();
  expect(sumOf(after)).toMatchObject({
    captured: ROUNDS * ROUND_CAPTURES + 1,
    dropped: 0,
    missing: 0,
    unledgered: 0,
  });
  await bench.drain();
  expect(sumOf(await bench.verify())).toMatchObject({ stored: ROUNDS * ROUND_CAPTURES + 1 });
});

it("V1: looks a second time for what moved between two looks", async () => {
  const bench = new VerifyBench();
  const [ulid] = await bench.capture("on its way");
  await bench.drain();
  const { store } = await bench.parts();
  // As if the row had come right after its page was read.
  const late = { ...store, auditRows: async () => ({ entries: [] }) };
  const report = await bench.verify({ quick: true }, { store: late });
  expect(report.problems).toEqual([]);
  expect(report).toMatchObject({ captured: 1, stored: 1, missing: 0 });
  expect(ulid).toBeDefined();
});

it("V1: a record sent back from quarantine while it is looked for is not missing", async () => {
  const bench = new VerifyBench();
  const [ulid] = (await bench.capture("was set aside")) as [string];
  const aside = join(bench.layout.quarantineDir, `pending-${ulid}.json`);
  mkdirSync(bench.layout.quarantineDir, { recursive: true });
  renameSync(bench.path(ulid), aside);
  const parts = await bench.parts();
  // Pending has been listed when it comes back, and quarantine has not.
  const fs = {
    ...parts.fs,
    names: (directory: string) => {
      if (directory === bench.layout.overflowDir) {
        try {
          renameSync(aside, bench.path(ulid));
        } catch {
          // the second look: it is back already
        }
      }
      return parts.fs.names(directory);
    },
  };
  const report = await bench.verify({}, { fs });
  expect(report).toMatchObject({ ok: true, captured: 1, pending: 1, missing: 0 });
});
