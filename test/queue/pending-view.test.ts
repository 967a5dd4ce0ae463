import {
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { PendingView } from "../../src/queue/pending-view.ts";
import { quarantinedFiles, readPending, readQuarantined } from "../../src/queue/read-pending.ts";
import { faultyFs } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** A view on a queue whose files look as old as the test wants: only their times count. */
function bench(textBytesMax?: number) {
  const queueDir = join(freshDirectory(), "queue");
  const clock = new ManualClock(Date.now());
  const disk = faultyFs();
  const queue = new CaptureQueue({ queueDir });
  const { layout } = queue;
  const limits = textBytesMax === undefined ? {} : { textBytesMax };
  const view = new PendingView(disk.fs, layout, clock, limits);
  const append = async (...texts: string[]) => {
    const ulids: string[] = [];
    for (const surface of texts) ulids.push((await queue.append({ surface })).ulid);
    return ulids;
  };
  const path = (ulid: string) => pendingPath(layout, ulid);
  const count = (method: string) => disk.methods().filter((name) => name === method).length;
  return { queue, layout, clock, disk, view, append, path, count };
}

const surfaces = ({ envelopes }: Awaited<ReturnType<PendingView["texts"]>>) =>
  envelopes.map(({ record }) => record.surface);

describe("PendingView", () => {
  it("S5: sees every record that was acknowledged before it was asked", async () => {
    const { view, append, queue } = bench();
    expect(await view.refresh()).toEqual({ ulids: [], marked: new Set() });
    for (let round = 0; round < 20; round++) {
      const [ulid] = await append(`${round}`);
      // A listing may be under way for others; it does not count for this caller.
      void view.refresh();
      expect((await view.refresh()).ulids.at(-1)).toBe(ulid);
    }
    expect((await view.refresh()).ulids).toHaveLength(await queue.pendingCount());
  });

  it("S5: never answers from a listing that began before the call", async () => {
    const { view, append, disk } = bench();
    await append("first");
    const { fs } = disk as { fs: typeof disk.fs & { names: (dir: string) => Promise<string[]> } };
    const names = fs.names;
    let listed = () => {};
    const atDisk = new Promise<void>((resolve) => {
      fs.names = async (dir) => {
        const answer = await names(dir);
        fs.names = names;
        resolve();
        await new Promise<void>((go) => {
          listed = go;
        });
        return answer;
      };
    });
    const early = view.refresh();
    await atDisk;
    const [ulid] = await append("second");
    const late = view.refresh();
    const shared = view.refresh();
    listed();
    expect((await early).ulids).not.toContain(ulid);
    expect((await late).ulids).toContain(ulid);
    expect(await shared).toBe(await late);
  });

  it("S5: lists again only when the directory may have changed", async () => {
    const { view, append, clock, count, layout } = bench();
    await append("first");
    for (let n = 0; n < 3; n++) await view.refresh();
    expect(count("names")).toBe(3); // too young to prove anything
    clock.advance(10_000);
    for (let n = 0; n < 3; n++) await view.refresh();
    expect(count("names")).toBe(4);
    const [second] = await append("second");
    expect((await view.refresh()).ulids).toContain(second);
    // A directory from a clock that runs ahead proves nothing either.
    utimesSync(layout.dir, new Date(), new Date(clock.nowMs() + 60_000));
    const before = count("names");
    for (let n = 0; n < 3; n++) await view.refresh();
    expect(count("names")).toBe(before + 3);
  });

  it("S5: notices another directory under the name, whatever its time says", async () => {
    const { view, append, clock, layout, queue } = bench();
    await append("first");
    clock.advance(10_000);
    const { atime, mtime } = statSync(layout.dir);
    await view.refresh();
    renameSync(layout.dir, `${layout.dir}.old`);
    mkdirSync(layout.dir);
    utimesSync(layout.dir, atime, mtime);
    expect((await view.refresh()).ulids).toEqual([]);
    rmSync(layout.dir, { recursive: true });
    expect((await view.refresh()).ulids).toEqual([]);
    expect((await view.texts()).envelopes).toEqual([]);
    expect(await view.pendingBytes()).toBe(0);
    await queue.close();
  });

  it("S5: tells marks, and leaves foreign names out", async () => {
    const { view, append, layout } = bench();
    const [one = "", two = ""] = await append("one", "two");
    for (const name of [`pending-${two}.lock`, "notes.txt", ".tmp-x", "pending-short.json"]) {
      writeFileSync(join(layout.dir, name), "");
    }
    expect(await view.refresh()).toEqual({ ulids: [one, two], marked: new Set([two]) });
  });

  it("S5: reads each text once, however many ask at once", async () => {
    const { view, append, count } = bench();
    await append("one", "two", "three");
    const answers = await Promise.all(Array.from({ length: 5 }, () => view.texts()));
    for (const answer of answers) {
      expect(surfaces(answer)).toEqual(["one", "two", "three"]);
      expect(answer.unloaded).toBe(0);
    }
    expect(count("read")).toBe(3);
    await append("four");
    expect(surfaces(await view.texts())).toHaveLength(4);
    expect(count("read")).toBe(4);
  });

  it("S5: forgets texts whose records have left", async () => {
    const { view, append, path, count } = bench();
    const [one = ""] = await append("one", "two");
    await view.texts();
    unlinkSync(path(one));
    expect(surfaces(await view.texts())).toEqual(["two"]);
    expect(await view.pendingBytes()).toBe(
      statSync(path((await view.refresh()).ulids[0] ?? "")).size,
    );
    expect(count("read")).toBe(2);
  });

  it("S5: keeps texts up to the bound, counts the others, and does not read them every time", async () => {
    const { view, append, path, count } = bench(3_000);
    await append(...Array.from({ length: 40 }, (_, n) => `${n} ${"x".repeat(500)}`));
    const first = await view.texts();
    expect(first.envelopes).toHaveLength(2);
    expect(first.unloaded).toBe(38);
    const before = count("read");
    expect(surfaces(await view.texts())).toEqual(surfaces(first));
    expect(count("read") - before).toBeLessThanOrEqual(16);
    unlinkSync(path(first.envelopes[0]?.ulid ?? ""));
    const next = await view.texts();
    expect(next.envelopes).toHaveLength(2);
    expect(next.unloaded).toBe(37);
  });

  it("S5: a file that can not be read is missing, not in the way, and read again later", async () => {
    const { view, append, disk } = bench();
    const [bad = ""] = await append("bad", "good");
    for (const errno of ["EACCES", "EIO", "EMFILE"]) {
      disk.fail({ method: "read", errno, pathEnds: `${bad}.json` });
      const texts = await view.texts();
      expect([surfaces(texts), texts.unloaded], errno).toEqual([["good"], 1]);
    }
    disk.fail(undefined);
    expect(surfaces(await view.texts())).toEqual(["bad", "good"]);
  });

  it("S5: hands the directory's failure to everyone who asked, and recovers", async () => {
    const { view, append, disk } = bench();
    await append("one");
    disk.fail({ method: "names", errno: "EIO" });
    const asked = await Promise.allSettled([view.refresh(), view.texts(), view.pendingBytes()]);
    expect(asked.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    disk.fail(undefined);
    expect(surfaces(await view.texts())).toEqual(["one"]);
    disk.fail({ method: "facts", errno: "EIO" });
    await expect(view.refresh()).rejects.toThrow(/EIO/);
    await expect(view.bytesOf("01ARZ3NDEKTSV4RRFFQ69G5FAV")).rejects.toThrow(/EIO/);
  });

  it("R1: sums the bytes of what is pending, looking at each file once", async () => {
    const { view, append, path, count } = bench();
    const ulids = await append("one", "another");
    const bytes = ulids.map((ulid) => statSync(path(ulid)).size);
    expect(await view.pendingBytes()).toBe((bytes[0] ?? 0) + (bytes[1] ?? 0));
    const facts = count("facts");
    expect(await view.bytesOf(ulids[0] ?? "")).toBe(bytes[0]);
    expect(count("facts")).toBe(facts);
    await view.pendingBytes();
    expect(count("facts")).toBe(facts + 1); // of the directory
    expect(await view.bytesOf("01ARZ3NDEKTSV4RRFFQ69G5FAV")).toBeUndefined();
  });
});

describe("readPending", () => {
  it("X1: does not follow a symlink, read a directory, or wait for a FIFO", async () => {
    const { layout, append, path, disk } = bench();
    const [link = "", directory = ""] = await append("one", "two");
    const outside = join(freshDirectory(), "outside.json");
    renameSync(path(link), outside);
    symlinkSync(outside, path(link));
    unlinkSync(path(directory));
    mkdirSync(path(directory));
    for (const ulid of [link, directory]) {
      const look = await readPending(disk.fs, layout, ulid);
      expect(look?.envelope).toBeUndefined();
      expect(look?.fault).toMatchObject({ code: "ENVELOPE_UNREADABLE" });
    }
    expect(disk.methods()).not.toContain("read");
  });

  it("X2: does not read a file that is larger than any envelope", async () => {
    const { layout, append, path, disk } = bench();
    const [ulid = ""] = await append("one");
    writeFileSync(path(ulid), Buffer.alloc(6_500_000, 0x20));
    expect((await readPending(disk.fs, layout, ulid))?.fault?.code).toBe("ENVELOPE_UNREADABLE");
    expect(disk.methods()).not.toContain("read");
  });

  it("S5: says nothing of what is not there, and passes on a programmer's mistake", async () => {
    const { layout, disk } = bench();
    const ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    expect(await readPending(disk.fs, layout, ulid)).toBeUndefined();
    expect(await readQuarantined(disk.fs, layout, ulid)).toBeUndefined();
    expect(await quarantinedFiles(disk.fs, layout, ulid)).toEqual([]);
    const broken = { ...disk.fs, facts: () => Promise.reject(new TypeError("broken")) };
    await expect(readPending(broken, layout, ulid)).rejects.toThrow(TypeError);
    disk.fail({ method: "names", errno: "EACCES" });
    await expect(readQuarantined(disk.fs, layout, ulid)).rejects.toThrow(/EACCES/);
  });

  it("S5: prefers the whole one of several quarantined files of an id", async () => {
    const { layout, append, path, disk } = bench();
    const [ulid = "", other = ""] = await append("one", "two");
    mkdirSync(layout.quarantineDir, { recursive: true });
    const quarantined = (name: string) => join(layout.quarantineDir, name);
    writeFileSync(quarantined(`pending-${ulid}.2.json`), "{");
    expect((await readQuarantined(disk.fs, layout, ulid))?.fault?.code).toBe("ENVELOPE_NOT_JSON");
    renameSync(path(ulid), quarantined(`pending-${ulid}.json`));
    renameSync(path(other), quarantined(`pending-${other}.json`));
    const look = await readQuarantined(disk.fs, layout, ulid);
    expect(look?.envelope?.record.surface).toBe("one");
  });
});
