import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { quarantineEntry } from "../../src/queue/quarantine-list.ts";
import { segmentPath } from "../../src/queue/spill-segment.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import { flip, overflowNames, spill, writeSegment } from "../support/spilled-segments.ts";

const DRAIN = { dueOrNot: false };

const inQuarantine = (bench: IngestBench) => readdirSync(bench.layout.quarantineDir).sort();

/** Lines of a segment: three whole records, of which tests spoil some. */
async function lines(bench: IngestBench): Promise<{ ids: string[]; bytes: Buffer[] }> {
  const ids = await bench.append("good", "secret words", "good, too");
  const bytes = ids.map((ulid) => bench.bytesOf(ulid));
  await bench.queue.ingestPending(() => {});
  return { ids, bytes };
}

const at = (ids: readonly string[]) => ({ first: ids[0] as string, last: ids.at(-1) as string });

describe("a damaged segment", () => {
  it("Q9: its whole records are ingested, the file is kept unchanged in quarantine and told", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(40);
    const name = spill(bench.layout, ids);
    flip(bench.layout, name, statSync(segmentPath(bench.layout, name)).size - 40);
    const damaged = readFileSync(segmentPath(bench.layout, name));
    const outcome = await bench.ingester().drain(DRAIN);
    expect(outcome).toEqual({ ingested: 32, quarantined: 1, skipped: 0 });
    expect([...bench.store.rows.keys()]).toEqual(ids.slice(0, 32));
    expect([inQuarantine(bench), overflowNames(bench.layout)]).toEqual([
      [name, `${name}.reason.json`],
      [],
    ]);
    expect(readFileSync(join(bench.layout.quarantineDir, name))).toEqual(damaged);
    const [event] = bench.events.named("segment_damaged");
    expect(event).toMatchObject({ segment: name, records_lost: 8 });
    expect(event?.bytes_skipped).toBeGreaterThan(0);
    expect(await quarantineEntry(nodeDurableFs, bench.layout, name)).toMatchObject({
      ulid: ids[0],
      file: name,
      code: "ENVELOPE_UNREADABLE",
      attempts: 1,
      message: expect.stringContaining("Of 40 spilled records 8 could not be read"),
    });
    expect(bench.reports.at(-1)?.totals).toMatchObject({ ingested: 32 });
  });

  it("Q9: a line that names an id is kept as an envelope of its own, with its fault and no text", async () => {
    const bench = new IngestBench();
    const { ids, bytes } = await lines(bench);
    const [, bad] = ids as [string, string];
    bytes[1] = Buffer.from((bytes[1] as Buffer).toString().replace("secret", "s3cret"));
    const name = writeSegment(bench.layout, at(ids), [...bytes, Buffer.from("no id at all")]);
    expect(await bench.ingester().drain(DRAIN)).toEqual({
      ingested: 2,
      quarantined: 2,
      skipped: 0,
    });
    expect(bench.reason(bad)).toMatchObject({ code: "ENVELOPE_CHECKSUM_MISMATCH", attempts: 1 });
    expect(readFileSync(join(bench.layout.quarantineDir, `pending-${bad}.json`))).toEqual(bytes[1]);
    expect(inQuarantine(bench)).toContain(name);
    expect(bench.events.named("capture_quarantined")).toEqual([
      { ulid: bad, code: "ENVELOPE_CHECKSUM_MISMATCH", attempts: 1 },
    ]);
    expect(bench.events.named("segment_damaged")).toEqual([
      { segment: name, records_lost: 2, bytes_skipped: 0 },
    ]);
    const reasons = inQuarantine(bench).filter((each) => each.endsWith(".reason.json"));
    const told = reasons.map((each) =>
      readFileSync(join(bench.layout.quarantineDir, each), "utf8"),
    );
    expect(JSON.stringify([told, bench.events.all])).not.toContain("cret words");
  });

  it.each<[string, (path: string) => void]>([
    ["ends between two members", (path) => truncateSync(path, memberEnd(path))],
    ["is empty", (path) => truncateSync(path, 0)],
    ["is no archive at all", (path) => writeFileSync(path, "x".repeat(500))],
  ])("Q9: one that %s is noticed by the count in its name", async (_, harm) => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(20);
    const name = spill(bench.layout, ids);
    harm(segmentPath(bench.layout, name));
    await bench.ingester().drain(DRAIN);
    const stored = bench.store.rows.size;
    expect(inQuarantine(bench)).toContain(name);
    expect(bench.events.named("segment_damaged")).toMatchObject([{ records_lost: 20 - stored }]);
    expect(20 - stored).toBeGreaterThan(0);
  });

  it.each([
    { method: "replace", errno: "ENOSPC", pathEnds: ".reason.json" },
    { method: "link", errno: "EIO" },
  ])(
    "Q9: when its move fails at $method it stays, is told once, and nothing is done twice",
    async (fault) => {
      const bench = new IngestBench();
      const ids = await bench.appendMany(20);
      const name = spill(bench.layout, ids);
      truncateSync(segmentPath(bench.layout, name), memberEnd(segmentPath(bench.layout, name)));
      const { fs, fail } = faultyFsSync();
      const ingester = bench.ingester({ fs });
      fail(fault);
      expect(await ingester.drain(DRAIN)).toEqual({ ingested: 16, quarantined: 0, skipped: 20 });
      expect(await ingester.drain(DRAIN)).toEqual({ ingested: 0, quarantined: 0, skipped: 20 });
      expect(overflowNames(bench.layout)).toEqual([name]);
      expect(bench.events.named("envelope_read_failed")).toHaveLength(1);
      expect(bench.store.tried).toHaveLength(1);
      fail(undefined);
      expect(await ingester.drain(DRAIN)).toEqual({ ingested: 0, quarantined: 1, skipped: 0 });
      expect(bench.store.tried).toHaveLength(1);
      expect(overflowNames(bench.layout)).toEqual([]);
    },
  );

  it("Q9: a line that can not be set aside keeps the file until it can", async () => {
    const bench = new IngestBench();
    const { ids, bytes } = await lines(bench);
    bytes[1] = Buffer.from((bytes[1] as Buffer).toString().replace("secret", "s3cret"));
    const name = writeSegment(bench.layout, at(ids), bytes);
    const { fs, fail } = faultyFsSync();
    const ingester = bench.ingester({ fs });
    fail({ method: "openExclusive", errno: "ENOSPC" });
    expect(await ingester.drain(DRAIN)).toMatchObject({ ingested: 2, quarantined: 0 });
    expect(overflowNames(bench.layout)).toEqual([name]);
    fail(undefined);
    expect(await ingester.drain(DRAIN)).toMatchObject({ ingested: 0, quarantined: 2 });
    expect(overflowNames(bench.layout)).toEqual([]);
  });
});

describe("a segment with records of a newer program", () => {
  it("Q10: stays; its other records are ingested once; it is told once a start and not read again", async () => {
    const bench = new IngestBench();
    const { ids, bytes } = await lines(bench);
    const newer = (bytes[1] as Buffer)
      .toString()
      .replace('"schema_version":1', '"schema_version":9');
    bytes[1] = Buffer.from(newer);
    const name = writeSegment(bench.layout, at(ids), bytes);
    const { fs, calls } = faultyFsSync();
    const ingester = bench.ingester({ fs });
    const reads = () =>
      calls.filter(({ method, args }) => method === "openRead" && String(args[0]).includes(name));
    for (const ingested of [2, 0, 0]) {
      expect(await ingester.drain(DRAIN)).toEqual({ ingested, quarantined: 0, skipped: 1 });
    }
    expect(reads()).toHaveLength(1);
    expect(overflowNames(bench.layout)).toEqual([name]);
    expect([inQuarantine(bench), bench.events.named("segment_damaged")]).toEqual([[], []]);
    expect(bench.events.named("schema_version_unknown")).toEqual([
      { ulid: ids[1], schema_version: "9" },
    ]);
    await bench.ingester().drain(DRAIN);
    expect(bench.events.named("schema_version_unknown")).toHaveLength(2);
    expect(bench.store.rows.size).toBe(2);
  });

  it("Q10: a line without an id is told by the segment's first one", async () => {
    const bench = new IngestBench();
    const { ids } = await lines(bench);
    const name = writeSegment(bench.layout, at(ids), [Buffer.from('{"schema_version":"x2"}')]);
    await bench.ingester().drain(DRAIN);
    expect(overflowNames(bench.layout)).toEqual([name]);
    expect(bench.events.named("schema_version_unknown")).toEqual([
      { ulid: ids[0], schema_version: "x2" },
    ]);
  });
});

/** Where the first member of a file ends, by its extra field. */
function memberEnd(path: string): number {
  return readFileSync(path).readUInt32LE(20);
}
