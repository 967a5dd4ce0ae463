import {
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { OverflowView } from "../../src/queue/overflow-view.ts";
import { encodeSegment, newSegmentName, segmentPath } from "../../src/queue/spill-segment.ts";
import { faultyFs } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** A view on segments whose directory looks as old as the test wants. */
function bench(textBytesMax?: number) {
  const clock = new ManualClock(Date.now());
  const disk = faultyFs();
  const queue = new CaptureQueue({ queueDir: join(freshDirectory(), "queue") });
  const { layout } = queue;
  const limits = textBytesMax === undefined ? {} : { textBytesMax };
  const view = new OverflowView(disk.fs, layout, clock, limits);
  const append = async (...texts: string[]) => {
    const ulids: string[] = [];
    for (const surface of texts) ulids.push((await queue.append({ surface })).ulid);
    return ulids;
  };
  /** Moves the records into one segment; returns its path. */
  const spill = (ulids: readonly string[]) => {
    const name = newSegmentName(ulids[0] ?? "", ulids.at(-1) ?? "", ulids.length);
    const paths = ulids.map((ulid) => pendingPath(layout, ulid));
    const path = segmentPath(layout, name);
    writeFileSync(path, encodeSegment(paths.map((each) => readFileSync(each))));
    for (const each of paths) unlinkSync(each);
    return path;
  };
  const count = (method: string) => disk.methods().filter((name) => name === method).length;
  return { queue, layout, clock, disk, view, append, spill, count };
}

const surfaces = ({ envelopes }: Awaited<ReturnType<OverflowView["texts"]>>) =>
  envelopes.map(({ record }) => record.surface);
const numbered = (count: number, text = "") =>
  Array.from({ length: count }, (_, n) => `${n}${text}`);
const ABSENT = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

describe("OverflowView", () => {
  it("S5: is empty without a directory, and sees each segment published before it was asked", async () => {
    const { view, append, spill } = bench();
    expect([await view.count(), await view.texts(), await view.find(ABSENT)]).toEqual([
      0,
      { envelopes: [], unloaded: 0 },
      undefined,
    ]);
    for (let round = 1; round <= 5; round++) {
      spill(await append("one", "two"));
      void view.segments(); // a listing under way for others does not count for this caller
      expect(await view.count()).toBe(2 * round);
    }
    expect(await view.segments()).toHaveLength(5);
  });

  it("S5: counts by names alone, and lists again only when the directory may have changed", async () => {
    const { view, append, spill, clock, count, layout } = bench();
    const path = spill(await append("one", "two"));
    writeFileSync(join(layout.overflowDir, "notes.txt"), "by hand");
    clock.advance(10_000);
    for (let n = 0; n < 3; n++) expect(await view.count()).toBe(2);
    expect([count("names"), count("read")]).toEqual([1, 0]);
    unlinkSync(path);
    expect(await view.count()).toBe(0);
  });

  it("S5: finds an id, reading only segments that may hold it", async () => {
    const { view, append, spill, disk } = bench();
    const first = await append("one", "two", "three");
    const second = await append("four", "five");
    spill(first);
    const path = spill(second);
    const look = await view.find(second[1] ?? "");
    expect(look?.envelope).toMatchObject({ ulid: second[1], record: { surface: "five" } });
    expect(disk.calls.filter(({ method }) => method === "read").map(({ args }) => args[0])).toEqual(
      [path],
    );
    expect(await view.find(ABSENT)).toBeUndefined();
  });

  it("S5: reads each segment once, whatever is asked of it and however many ask", async () => {
    const { view, append, spill, count } = bench();
    const ulids = await append(...numbered(40));
    spill(ulids.slice(0, 20));
    spill(ulids.slice(20));
    const answers = await Promise.all([view.texts(), view.texts(), view.texts()]);
    for (const answer of answers) {
      expect(surfaces(answer)).toEqual(numbered(40));
      expect(answer.unloaded).toBe(0);
    }
    expect((await view.find(ulids[25] ?? ""))?.envelope?.record.surface).toBe("25");
    expect(count("read")).toBe(2);
    const [first] = await view.texts().then(({ envelopes }) => envelopes);
    expect(first).not.toHaveProperty("recordJson");
  });

  it("S5: forgets the texts of a segment that left, and takes one that goes while it is read", async () => {
    const { view, append, spill, disk } = bench();
    const gone = spill(await append("one", "two"));
    const stays = await append("three");
    spill(stays);
    await view.texts();
    unlinkSync(gone);
    expect(await view.texts()).toMatchObject({ envelopes: [{ ulid: stays[0] }], unloaded: 0 });
    const [late = ""] = await append("four");
    spill([late]);
    disk.fail({ method: "read", errno: "ENOENT" });
    expect(await view.texts()).toMatchObject({ envelopes: [{ ulid: stays[0] }], unloaded: 0 });
    expect(await view.find(late)).toBeUndefined();
  });

  it("S5: keeps texts up to the bound, counts the others, and does not read them every time", async () => {
    const { view, append, spill, count } = bench(4_000);
    const paths: string[] = [];
    for (let n = 0; n < 4; n++) paths.push(spill(await append(...numbered(2, "x".repeat(400)))));
    const first = await view.texts();
    expect([first.envelopes.length, first.unloaded]).toEqual([4, 4]);
    expect(count("read")).toBe(3); // the one that did not fit, and none behind it
    for (let n = 0; n < 3; n++) expect(await view.texts()).toEqual(first);
    expect(count("read")).toBe(3);
    unlinkSync(paths[0] ?? "");
    const next = await view.texts();
    expect([next.envelopes.length, next.unloaded]).toEqual([4, 2]);
    expect(next.envelopes.slice(0, 2)).toEqual(first.envelopes.slice(2));
  });

  it("S5: gives each record once that lies in two segments", async () => {
    const { view, append, spill, layout } = bench();
    const ulids = await append("one", "two");
    const path = spill(ulids);
    const again = newSegmentName(ulids[0] ?? "", ulids[1] ?? "", 2);
    writeFileSync(segmentPath(layout, again), readFileSync(path));
    expect(surfaces(await view.texts())).toEqual(["one", "two"]);
  });

  it("S5: uses what is readable of a damaged segment, and counts the rest", async () => {
    const { view, append, spill, disk, layout, clock } = bench();
    const ulids = await append(...numbered(40));
    const path = spill(ulids);
    const bytes = readFileSync(path);
    // The first member holds sixteen records; a byte of it is flipped.
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const texts = await view.texts();
    expect([surfaces(texts), texts.unloaded]).toEqual([numbered(40).slice(16), 16]);
    expect((await view.find(ulids[20] ?? ""))?.envelope?.record.surface).toBe("20");
    expect(await view.find(ulids[3] ?? "")).toMatchObject({
      fault: { code: "ENVELOPE_UNREADABLE" },
      named: false,
    });
    truncateSync(path, 0);
    const another = new OverflowView(disk.fs, layout, clock);
    expect(await another.texts()).toEqual({ envelopes: [], unloaded: 40 });
  });

  it("S5: names the record whose own line is damaged", async () => {
    const { view, append, layout } = bench();
    const [bad = "", good = ""] = await append("bad", "good");
    const lines = [bad, good].map((ulid) => readFileSync(pendingPath(layout, ulid)));
    const changed = Buffer.from(lines[0]?.toString().replace('"bad"', '"BAD"') ?? "");
    const name = newSegmentName(bad, good, 2);
    writeFileSync(segmentPath(layout, name), encodeSegment([changed, lines[1] as Buffer]));
    expect(await view.find(bad)).toMatchObject({
      fault: { code: "ENVELOPE_CHECKSUM_MISMATCH" },
      named: true,
    });
    expect(await view.texts()).toMatchObject({ envelopes: [{ ulid: good }], unloaded: 1 });
  });

  it("S5: a segment that can not be read counts as unloaded, and is read again later", async () => {
    const { view, append, spill, disk } = bench();
    const [ulid = ""] = await append("one");
    spill([ulid]);
    for (const errno of ["EACCES", "EIO", "EMFILE"]) {
      disk.fail({ method: "read", errno });
      expect(await view.texts(), errno).toEqual({ envelopes: [], unloaded: 1 });
      expect(await view.find(ulid), errno).toMatchObject({ named: false });
    }
    disk.fail(undefined);
    expect(surfaces(await view.texts())).toEqual(["one"]);
    disk.fail({ method: "names", errno: "EIO" });
    await expect(Promise.all([view.texts()])).rejects.toThrow(/EIO/);
    disk.fail(undefined);
    expect(surfaces(await view.texts())).toEqual(["one"]);
  });

  it("X1: does not follow a symlink, read a directory, or read what is larger than any segment", async () => {
    const { view, append, spill, layout, disk } = bench();
    const [link = "", directory = "", large = ""] = await append("one", "two", "three");
    const outside = join(freshDirectory(), "outside");
    const path = spill([link]);
    renameSync(path, outside);
    symlinkSync(outside, path);
    mkdirSync(segmentPath(layout, newSegmentName(directory, directory, 1)));
    truncateSync(spill([large]), 64 * 1_048_576 + 1);
    expect(await view.texts()).toEqual({ envelopes: [], unloaded: 3 });
    for (const ulid of [link, directory, large]) {
      expect(await view.find(ulid)).toMatchObject({ fault: { code: "ENVELOPE_UNREADABLE" } });
    }
    expect(disk.methods()).not.toContain("read");
  });

  it("S5: serves others while it takes a segment apart, and passes on a mistake", async () => {
    const { view, append, spill, layout, clock, disk } = bench();
    spill(await append(...numbered(200)));
    const loaded = view.texts();
    let ended = false;
    void loaded.then(() => {
      ended = true;
    });
    let turns = 0;
    for (; !ended; turns++) await nextTurn();
    expect((await loaded).envelopes).toHaveLength(200);
    expect(turns).toBeGreaterThanOrEqual(200 / 16); // a member holds sixteen
    const broken = { ...disk.fs, read: () => Promise.reject(new TypeError("broken")) };
    const other = new OverflowView(broken, layout, clock);
    await expect(other.texts()).rejects.toThrow(TypeError);
  });
});
