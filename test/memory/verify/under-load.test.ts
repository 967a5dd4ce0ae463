import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { textSha256 } from "../../../src/record/content-hash.ts";
import { encodeEnvelope } from "../../../src/record/envelope.ts";
import { sumOf, VerifyBench } from "../../support/verify-bench.ts";

/** Batches of captures; each ends long before the limit on records is ever reached. */
const ROUNDS = 20;
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

it("V1: a record captured while it looks is neither missing nor unledgered", async () => {
  const bench = new VerifyBench();
  await bench.capture("before");
  const parts = await bench.parts();
  const ulid = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
  const at = "2026-03-01T09:30:00.000Z";
  const envelope = encodeEnvelope(ulid, at, '{"surface":"a"}', textSha256("a"));
  let listings = 0;
  const fs = {
    ...parts.fs,
    names: (directory: string) => {
      // The ledger's names have been listed; now the pending ones are.
      if (directory === bench.layout.dir && ++listings === 2) {
        writeFileSync(bench.path(ulid), envelope);
        appendFileSync(bench.ledgerFile(), `${ulid}\n`);
      }
      return parts.fs.names(directory);
    },
  };
  const report = await bench.verify({}, { fs });
  expect(report).toMatchObject({ ok: true, captured: 2, pending: 2, unledgered: 0, notes: [] });
});

it("V1: a record acknowledged after the queue was looked at does not count yet", async () => {
  const bench = new VerifyBench();
  await bench.capture("before");
  const parts = await bench.parts();
  const fs = {
    ...parts.fs,
    names: (directory: string) => {
      if (directory === bench.layout.quarantineDir) {
        appendFileSync(bench.ledgerFile(), "01JQ7Z8X9YABCDEFGHJKMNPQRS\n");
      }
      return parts.fs.names(directory);
    },
  };
  const report = await bench.verify({}, { fs });
  expect(report).toMatchObject({ ok: true, captured: 1, pending: 1, missing: 0 });
});

it("V1: an audit line that is being written is not called damaged", async () => {
  const bench = new VerifyBench({ maxSize: 1, overflow: "drop-oldest" });
  await bench.captureMany(3);
  const { auditFile } = bench.layout;
  const whole = readFileSync(auditFile);
  truncateSync(auditFile, whole.length - 20);
  const parts = await bench.parts();
  let listings = 0;
  const fs = {
    ...parts.fs,
    names: (directory: string) => {
      // For ledger, pending, and for the second look, which is between the log's two.
      if (directory === bench.layout.dir && ++listings === 3) writeFileSync(auditFile, whole);
      return parts.fs.names(directory);
    },
  };
  const report = await bench.verify({}, { fs });
  expect(listings).toBeGreaterThan(3);
  expect(report).toMatchObject({ problems: [], captured: 3, dropped: 2, missing: 0 });
});

it("V1: a batch that is being archived is not called torn", async () => {
  const bench = new VerifyBench();
  await bench.captureMany(3);
  await bench.drain();
  const path = bench.archiveFile();
  const whole = readFileSync(path);
  truncateSync(path, whole.length - 5);
  const parts = await bench.parts();
  const fs = {
    ...parts.fs,
    names: (directory: string) => {
      if (directory === bench.layout.quarantineDir) writeFileSync(path, whole);
      return parts.fs.names(directory);
    },
  };
  const report = await bench.verify({}, { fs });
  expect(report).toMatchObject({ ok: true, stored: 3, notes: [] });
});
