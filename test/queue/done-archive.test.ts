import {
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import {
  decodeMembers,
  encodeMember,
  type SkippedStretch,
} from "../../src/queue/archive-member.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { DoneArchive, isArchiveName, utcHour } from "../../src/queue/done-archive.ts";
import { HighWater, newestIds } from "../../src/queue/high-water.ts";
import { type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import { LedgerSync } from "../../src/queue/ledger-sync.ts";
import { settleBatch } from "../../src/queue/settle.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const lines = (...texts: string[]) => texts.map((text) => Buffer.from(JSON.stringify({ text })));

function decode(file: Buffer): { texts: string[]; skipped: SkippedStretch[] } {
  const skipped: SkippedStretch[] = [];
  const members = [...decodeMembers(file, (stretch) => skipped.push(stretch))];
  const texts = members.flatMap((member) => member.lines.map((line) => JSON.parse(`${line}`).text));
  return { texts, skipped };
}

describe("archive members", () => {
  it("I6: come back equal, and plain gunzip reads them too", () => {
    const file = Buffer.concat([encodeMember(lines("a", "b")), encodeMember(lines("c"))]);
    expect(decode(file)).toEqual({ texts: ["a", "b", "c"], skipped: [] });
    expect(gunzipSync(file).toString()).toBe('{"text":"a"}\n{"text":"b"}\n{"text":"c"}\n');
  });

  it("I6: the header carries length, count and CRC", () => {
    const member = encodeMember(lines("a", "b"));
    expect(member.subarray(12, 14).toString()).toBe("MS");
    expect(member.readUInt32LE(20)).toBe(member.length);
    expect(member.readUInt32LE(24)).toBe(2);
  });

  it("I6: a reader steps over a torn, flipped or zeroed stretch at every place and says what it skipped", () => {
    const [one, two, three] = [lines("first"), lines("second"), lines("third")].map(
      encodeMember,
    ) as [Buffer, Buffer, Buffer];
    for (let at = 0; at < two.length; at++) {
      const torn = Buffer.concat([one, two.subarray(0, at), three]);
      expect(decode(torn).texts).toEqual(["first", "third"]);
      const flipped = Buffer.from(two);
      flipped[at] = (flipped[at] as number) ^ 0x5a;
      const bad = decode(Buffer.concat([one, flipped, three]));
      expect(bad.texts).toEqual(["first", "third"]);
      expect(bad.skipped).toEqual([{ offset: one.length, bytes: two.length }]);
    }
    const zeroed = decode(Buffer.concat([one, Buffer.alloc(two.length), three, Buffer.alloc(7)]));
    expect(zeroed.texts).toEqual(["first", "third"]);
    expect(zeroed.skipped).toHaveLength(2);
  });
});

describe("the done archive", () => {
  let layout: QueueLayout;
  let clock: ManualClock;

  beforeEach(() => {
    layout = queueLayout(join(freshDirectory(), "queue"));
    clock = new ManualClock(Date.UTC(2026, 2, 1, 9, 59, 59));
    ensureQueueDirectories(nodeDurableFsSync, layout);
  });

  const read = (name: string) => decode(readFileSync(join(layout.doneDir, name))).texts;

  it("I6: one file an UTC hour and writer, one member a batch, 0600", () => {
    const archive = new DoneArchive(nodeDurableFsSync, layout, clock);
    const other = new DoneArchive(nodeDurableFsSync, layout, clock);
    archive.append(lines("a"));
    archive.append(lines("b"));
    other.append(lines("o"));
    clock.advance(2_000);
    archive.append(lines("c"));
    archive.close();
    const names = readdirSync(layout.doneDir).sort();
    expect(names.every(isArchiveName)).toBe(true);
    expect(names.map((name) => name.slice(0, 11))).toEqual([
      "20260301-09",
      "20260301-09",
      "20260301-10",
    ]);
    expect(names.map(read).sort()).toEqual([["a", "b"], ["c"], ["o"]]);
    expect(statSync(join(layout.doneDir, names[0] as string)).mode & 0o777).toBe(0o600);
    expect(utcHour(0)).toBe("19700101-00");
  });

  it("I6: one write, then fsync; the directory too for a new file", () => {
    const { fs, calls } = faultyFsSync();
    const archive = new DoneArchive(fs, layout, clock);
    archive.append(lines("a"));
    const fsyncs = calls.filter(({ method }) => method === "fsync").length;
    expect(fsyncs).toBe(2);
    calls.length = 0;
    archive.append(lines("b"));
    const steps = calls.map(({ method }) => method);
    expect(steps.filter((method) => method === "write")).toHaveLength(1);
    expect(steps.filter((method) => method === "fsync")).toHaveLength(1);
    expect(steps.indexOf("write")).toBeLessThan(steps.indexOf("fsync"));
  });

  it("I6: a file that was trimmed or moved away meanwhile is written again into a new one", () => {
    const archive = new DoneArchive(nodeDurableFsSync, layout, clock);
    archive.append(lines("a"));
    const [name] = readdirSync(layout.doneDir) as [string];
    unlinkSync(join(layout.doneDir, name));
    archive.append(lines("b"));
    expect(read(name)).toEqual(["b"]);
    renameSync(join(layout.doneDir, name), join(layout.doneDir, "elsewhere"));
    archive.append(lines("c"));
    expect(read(name)).toEqual(["c"]);
  });

  it.each([
    { method: "write", errno: "ENOSPC" },
    { method: "fsync", errno: "EIO" },
  ])("I6: a failing $method throws, leaves no torn member, and the next batch works", (fault) => {
    const { fs, fail } = faultyFsSync();
    const archive = new DoneArchive(fs, layout, clock);
    archive.append(lines("a"));
    fail(fault);
    expect(() => archive.append(lines("lost"))).toThrow(fault.errno);
    fail(undefined);
    archive.append(lines("b"));
    const [name] = readdirSync(layout.doneDir) as [string];
    expect(decode(readFileSync(join(layout.doneDir, name)))).toEqual({
      texts: ["a", "b"],
      skipped: [],
    });
  });

  it("I6: a short write is cut off again", () => {
    const { fs } = faultyFsSync();
    let short = false;
    const cutting = {
      ...fs,
      write: (fd: number, bytes: Uint8Array, offset: number, length: number) =>
        fs.write(fd, bytes, offset, short ? 10 : length),
    };
    const archive = new DoneArchive(cutting, layout, clock);
    archive.append(lines("a"));
    short = true;
    expect(() => archive.append(lines("lost"))).toThrow("short write");
    short = false;
    archive.append(lines("b"));
    const [name] = readdirSync(layout.doneDir) as [string];
    expect(decode(readFileSync(join(layout.doneDir, name)))).toEqual({
      texts: ["a", "b"],
      skipped: [],
    });
  });

  it("I1: settling archives, records the high-water id, then unlinks; a failure before leaves every file", () => {
    const ulids = ["01JQ7Z8X9YABCDEFGHJKMNPQRS", "01JQ7Z8X9YABCDEFGHJKMNPQRT"];
    const { fs, calls, fail } = faultyFsSync();
    const parts = {
      fs,
      layout,
      archive: new DoneArchive(fs, layout, clock),
      ledger: new LedgerSync(fs, layout, clock),
      highWater: new HighWater(fs, layout),
    };
    const appendedAt = new Date(clock.nowMs()).toISOString();
    const envelopes = ulids.map((ulid) => ({
      ulid,
      appendedAt,
      bytes: Buffer.from(`{"ulid":"${ulid}"}`),
    }));
    for (const { ulid, bytes } of envelopes)
      writeFileSync(join(layout.dir, `pending-${ulid}.json`), bytes);
    const pending = () => readdirSync(layout.dir).filter((name) => name.endsWith(".json"));
    for (const method of ["write", "fsync", "replace"]) {
      fail({ method, errno: "ENOSPC" });
      expect(() => settleBatch(parts, envelopes)).toThrow("ENOSPC");
      expect(pending()).toHaveLength(2);
    }
    fail(undefined);
    calls.length = 0;
    settleBatch(parts, envelopes);
    const steps = calls
      .map(({ method }) => method)
      .filter((m) => ["write", "fsync", "replace", "unlink"].includes(m));
    expect(steps.slice(-4)).toEqual(["fsync", "replace", "unlink", "unlink"]);
    expect(pending()).toEqual([]);
    settleBatch(parts, envelopes);
  });

  it("I6: a close that fails is nobody's failure: every batch was synced before", () => {
    const { fs, fail } = faultyFsSync();
    const archive = new DoneArchive(fs, layout, clock);
    archive.append(lines("a"));
    fail({ method: "close", errno: "EIO", afterwards: true });
    expect(() => archive.close()).not.toThrow();
    fail(undefined);
    archive.append(lines("b"));
    archive.close();
    const [name] = readdirSync(layout.doneDir);
    const file = readFileSync(join(layout.doneDir, name as string));
    expect(decode(file)).toEqual({ texts: ["a", "b"], skipped: [] });
  });

  it("Q6: without a high-water file the newest id of the done archive stands in", async () => {
    const archive = new DoneArchive(nodeDurableFsSync, layout, clock);
    const newest = "01JQ7Z8X9YABCDEFGHJKMNPQRT";
    archive.append([
      Buffer.from(`{"ulid":"${newest}"}`),
      Buffer.from('{"ulid":"01JQ7Z8X9YABCDEFGHJKMNPQRS"}'),
    ]);
    const ids = () => newestIds(nodeDurableFs, layout, Date.now());
    expect(await ids()).toEqual([newest]);
    writeFileSync(layout.highWaterFile, "damaged");
    expect(await ids()).toEqual([newest]);
    new HighWater(nodeDurableFsSync, layout).record(["01JQ7Z8X9ZABCDEFGHJKMNPQRS"]);
    expect(await ids()).toEqual(["01JQ7Z8X9ZABCDEFGHJKMNPQRS"]);
  });
});
