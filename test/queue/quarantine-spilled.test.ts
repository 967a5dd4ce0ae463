import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { isLeftover, type QueueLayout, queueLayout, tempPath } from "../../src/queue/layout.ts";
import { placeBytes } from "../../src/queue/place-bytes.ts";
import { quarantineEntry, quarantineNames } from "../../src/queue/quarantine-list.ts";
import { quarantineBytes, quarantineSegment } from "../../src/queue/quarantine-spilled.ts";
import { countSpilledSync, readSegmentFile } from "../../src/queue/segment-file.ts";
import { newSegmentName, parseSegmentName, segmentPath } from "../../src/queue/spill-segment.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const ULID = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
const LAST = "01JQ7Z8X9YABCDEFGHJKMNPQRT";
const REASON = { code: "ULID_CONFLICT", message: "why", attempts: 1 } as const;
const clock = new ManualClock();
let layout: QueueLayout;

beforeEach(() => {
  layout = queueLayout(freshDirectory());
  ensureQueueDirectories(nodeDurableFsSync, layout);
});

const inQuarantine = () => readdirSync(layout.quarantineDir).sort();
const temps = () => readdirSync(layout.dir).filter((name) => name.startsWith(".tmp-"));
const bytes = (text: string) => Buffer.from(text);

describe("placeBytes", () => {
  const path = () => join(layout.quarantineDir, "name");
  const place = (text: string, fs = nodeDurableFsSync) =>
    placeBytes(fs, tempPath(layout, ULID), path(), bytes(text));

  it("Q9: writes a temp file, syncs it, links it, syncs the directory, removes the temp file", () => {
    const { fs, methods } = faultyFsSync();
    expect(place("text", fs)).toBe("placed");
    const steps = ["openExclusive", "write", "fsync", "link", "openDirectory", "fsync", "unlink"];
    expect(methods().filter((method) => steps.includes(method))).toEqual(steps);
    expect([readFileSync(path(), "utf8"), temps()]).toEqual(["text", []]);
  });

  it("Q9: the same bytes are a success that is synced once more; others keep the name", () => {
    place("text");
    const { fs, methods } = faultyFsSync();
    expect(place("text", fs)).toBe("same");
    expect(methods().filter((method) => method === "fsync")).toHaveLength(1);
    expect([place("tExt"), place("longer text")]).toEqual(["taken", "taken"]);
    expect(readFileSync(path(), "utf8")).toBe("text");
  });

  it.each([
    ["the same bytes", "text", "same"],
    ["other bytes", "tExt", "taken"],
  ])("I3: %s that come to the name meanwhile are told apart", (_, theirs, outcome) => {
    const { fs } = faultyFsSync();
    const raced = {
      ...fs,
      link: (from: string, to: string) => {
        writeFileSync(to, theirs);
        fs.link(from, to);
      },
    };
    expect(place("text", raced)).toBe(outcome);
    expect([readFileSync(path(), "utf8"), temps()]).toEqual([theirs, []]);
  });

  it("X1: a directory or a symlink at the name keeps it, and is not followed", () => {
    mkdirSync(path());
    expect(place("text")).toBe("taken");
    const target = join(layout.dir, "target");
    writeFileSync(target, "text");
    symlinkSync(target, join(layout.quarantineDir, "other"));
    const other = join(layout.quarantineDir, "other");
    expect(placeBytes(nodeDurableFsSync, tempPath(layout, ULID), other, bytes("text"))).toBe(
      "taken",
    );
  });

  it("Q9: where links are not supported the temp file is renamed", () => {
    const { fs, fail } = faultyFsSync();
    fail({ method: "link", errno: "EPERM" });
    expect(place("text", fs)).toBe("placed");
    expect([readFileSync(path(), "utf8"), temps()]).toEqual(["text", []]);
  });

  it.each([
    { method: "openExclusive", errno: "ENOSPC" },
    { method: "write", errno: "ENOSPC" },
    { method: "fsync", errno: "EIO", nth: 1 },
    { method: "link", errno: "EIO" },
    { method: "fsync", errno: "EIO", nth: 2 },
  ])("Q9: a failing $method throws, leaves no temp file, and can be repeated", (fault) => {
    const { fs, fail } = faultyFsSync();
    fail(fault);
    expect(() => place("text", fs)).toThrow(fault.errno);
    expect(temps()).toEqual([]);
    fail(undefined);
    expect(place("text", fs)).toBe(fault.nth === 2 ? "same" : "placed");
    expect(readFileSync(path(), "utf8")).toBe("text");
  });
});

describe("a spilled record in quarantine", () => {
  const parts = (fs = nodeDurableFsSync) => ({ fs, layout, clock });

  it("Q9: lies there under its own name with its reason, and once however often it comes", () => {
    expect(quarantineBytes(parts(), ULID, bytes("one"), REASON)).toBe(`pending-${ULID}.json`);
    expect(quarantineBytes(parts(), ULID, bytes("one"), REASON)).toBeUndefined();
    const names = [`pending-${ULID}.json`, `pending-${ULID}.reason.json`];
    expect(inQuarantine()).toEqual(names);
    expect(quarantineBytes(parts(), ULID, bytes("two"), REASON)).toBe(`pending-${ULID}.2.json`);
    expect(quarantineBytes(parts(), ULID, bytes("two"), REASON)).toBeUndefined();
    expect(readFileSync(join(layout.quarantineDir, names[0] as string), "utf8")).toBe("one");
  });

  it("Q9: its reason is there before it is", () => {
    const { fs, fail } = faultyFsSync();
    fail({ method: "replace", errno: "ENOSPC" });
    expect(() => quarantineBytes(parts(fs), ULID, bytes("one"), REASON)).toThrow("ENOSPC");
    expect(inQuarantine()).toEqual([]);
  });

  it("Q9: a thousand different files of one id are a fault, not an endless search", () => {
    for (let number = 1; number <= 1_000; number++) {
      const suffix = number === 1 ? "" : `.${number}`;
      writeFileSync(join(layout.quarantineDir, `pending-${ULID}${suffix}.json`), `${number}`);
    }
    expect(() => quarantineBytes(parts(), ULID, bytes("other"), REASON)).toThrow("1000 files");
  });
});

describe("a damaged segment in quarantine", () => {
  const name = newSegmentName(ULID, LAST, 2);
  const segment = parseSegmentName(name) as NonNullable<ReturnType<typeof parseSegmentName>>;
  const parts = (fs = nodeDurableFsSync) => ({ fs, layout, clock });
  const names = [name, `${name}.reason.json`];

  it("Q9: is moved unchanged: reason, link, directory fsync, unlink", () => {
    writeFileSync(segmentPath(layout, name), "damaged");
    const { fs, methods } = faultyFsSync();
    expect(quarantineSegment(parts(fs), segment, REASON)).toBe(true);
    const steps = ["replace", "link", "openDirectory", "fsync", "unlink"];
    expect(methods().filter((method) => steps.includes(method))).toEqual(steps);
    expect(inQuarantine()).toEqual(names);
    expect(readFileSync(join(layout.quarantineDir, name), "utf8")).toBe("damaged");
    expect(existsSync(segmentPath(layout, name))).toBe(false);
    expect(quarantineSegment(parts(), segment, REASON)).toBe(false);
  });

  it("Q9: a move that a crash cut between link and unlink is finished by repeating it", () => {
    writeFileSync(segmentPath(layout, name), "damaged");
    linkSync(segmentPath(layout, name), join(layout.quarantineDir, name));
    expect(quarantineSegment(parts(), segment, REASON)).toBe(true);
    expect(inQuarantine()).toEqual(names);
    expect(existsSync(segmentPath(layout, name))).toBe(false);
  });

  it("Q9: another file of its name is not overwritten", () => {
    writeFileSync(segmentPath(layout, name), "damaged");
    writeFileSync(join(layout.quarantineDir, name), "somebody's");
    expect(() => quarantineSegment(parts(), segment, REASON)).toThrow("EEXIST");
    expect(readFileSync(join(layout.quarantineDir, name), "utf8")).toBe("somebody's");
    expect(existsSync(segmentPath(layout, name))).toBe(true);
  });

  it("Q9: is listed and counted with the envelopes, by its first id and its own name", async () => {
    quarantineBytes(parts(), ULID, bytes("one"), REASON);
    writeFileSync(segmentPath(layout, name), "damaged");
    quarantineSegment(parts(), segment, { ...REASON, code: "ENVELOPE_UNREADABLE" });
    writeFileSync(join(layout.quarantineDir, "notes.txt"), "foreign");
    const listed = await quarantineNames(nodeDurableFs, layout);
    expect(listed).toEqual([name, `pending-${ULID}.json`]);
    expect(await quarantineEntry(nodeDurableFs, layout, name)).toEqual({
      ulid: ULID,
      file: name,
      bytes: 7,
      code: "ENVELOPE_UNREADABLE",
      message: "why",
      attempts: 1,
      quarantinedAt: new Date(clock.nowMs()).toISOString(),
    });
    expect(await quarantineEntry(nodeDurableFs, layout, "notes.txt")).toBeUndefined();
  });

  it("Q12: what a crash leaves of its reason file is known as a leftover", () => {
    expect(isLeftover(`${name}.reason.json.1234567`)).toBe(true);
    expect(isLeftover(`${name}.reason.json`)).toBe(false);
    expect(isLeftover(`${name}.1234567`)).toBe(false);
  });
});

describe("segments as files", () => {
  it("Q11: are counted by their names; an overflow directory that is gone holds none", () => {
    writeFileSync(segmentPath(layout, newSegmentName(ULID, LAST, 2)), "");
    writeFileSync(segmentPath(layout, newSegmentName(ULID, LAST, 40)), "");
    writeFileSync(join(layout.overflowDir, "foreign.gz"), "");
    expect(countSpilledSync(nodeDurableFsSync, layout)).toBe(42);
    expect(countSpilledSync(nodeDurableFsSync, queueLayout(join(layout.dir, "no")))).toBe(0);
    const { fs, fail } = faultyFsSync();
    fail({ method: "names", errno: "EACCES" });
    expect(() => countSpilledSync(fs, layout)).toThrow("EACCES");
  });

  it("X1: a directory, a symlink, or more than a segment can hold is refused by its errno", () => {
    const at = (name: string) => segmentPath(layout, name);
    mkdirSync(at("directory"));
    symlinkSync("/etc/hostname", at("symlink"));
    const { fs } = faultyFsSync();
    const read = (name: string) => () => readSegmentFile(fs, layout, name);
    expect(read("directory")).toThrow("EISDIR");
    expect(read("symlink")).toThrow("ELOOP");
    expect(read("nothing")()).toBeUndefined();
    writeFileSync(at("huge"), "x");
    const huge = {
      ...fs,
      factsOfDescriptor: (fd: number) => ({ ...fs.factsOfDescriptor(fd), bytes: 2 ** 30 }),
    };
    expect(() => readSegmentFile(huge, layout, "huge")).toThrow("EFBIG");
    const cut = {
      ...fs,
      factsOfDescriptor: (fd: number) => ({ ...fs.factsOfDescriptor(fd), bytes: 9 }),
    };
    expect(readSegmentFile(cut, layout, "huge")?.toString()).toBe("x");
  });
});
