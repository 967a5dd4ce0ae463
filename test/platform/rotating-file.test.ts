import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { allLines, LIMITS, line, linesOf, logNames, openLogBench } from "../support/log-bench.ts";

const node = nodeDurableFsSync;
const logPath = () => join(freshDirectory(), "m.log");

describe("rotation", () => {
  it("L2: a line that does not fit begins a new file; the others move up by one", () => {
    const path = logPath();
    const { log } = openLogBench({ path });
    for (let n = 1; n <= 5; n++) log.append(line("a", n));
    expect(logNames(path)).toEqual(["m.log", "m.log.1", "m.log.2"]);
    expect(linesOf(path)).toEqual([line("a", 5)]);
    expect(linesOf(`${path}.1`)).toEqual([line("a", 3), line("a", 4)]);
    expect(linesOf(`${path}.2`)).toEqual([line("a", 1), line("a", 2)]);
  });

  it("L2: text and bytes are written as one line each, with or without their line feed", () => {
    const path = logPath();
    const { log } = openLogBench({ path });
    log.append("é");
    log.append("b\n");
    log.append(Buffer.from("c"));
    log.append(Buffer.from("d\n"));
    expect(readFileSync(path, "utf8")).toBe("é\nb\nc\nd\n");
  });

  it("L2: a line larger than a file goes whole into one of its own", () => {
    const path = logPath();
    const { log } = openLogBench({ path });
    const long = "x".repeat(50);
    for (const text of ["a", long, "b"]) log.append(text);
    expect(linesOf(`${path}.2`)).toEqual(["a"]);
    expect(linesOf(`${path}.1`)).toEqual([long]);
    expect(linesOf(path)).toEqual(["b"]);
  });

  it("L2: several writers in one process write through each other's rotations", () => {
    const path = logPath();
    const writers = ["a", "b", "c"].map((name) => ({ name, ...openLogBench({ path }) }));
    const expected: string[] = [];
    for (let n = 0; n < 60; n++) {
      for (const { name, log } of writers) {
        log.append(line(name, n));
        expected.push(line(name, n));
      }
    }
    expect(allLines(path)).toEqual(expected.sort());
    expect(logNames(path).length).toBe(90);
  });

  it("L2: goes on in a file of the start before, and rotates it at the same size", () => {
    const path = logPath();
    const first = openLogBench({ path });
    first.log.append(line("a", 1));
    first.log.close();
    first.log.close();
    expect(() => first.log.append("x")).toThrow(TypeError);
    const { log } = openLogBench({ path });
    log.append(line("a", 2));
    log.append(line("a", 3));
    expect(linesOf(`${path}.1`)).toEqual([line("a", 1), line("a", 2)]);
  });

  it("L2: rotates as well where there are no hard links, and overwrites nothing there", () => {
    const path = logPath();
    const faulty = faultyFsSync();
    const { log, notices } = openLogBench({ path, fs: faulty.fs });
    faulty.fail({ method: "link", errno: "EPERM" });
    for (let n = 1; n <= 7; n++) log.append(line("a", n));
    expect(logNames(path)).toEqual(["m.log", "m.log.1", "m.log.2", "m.log.3"]);
    expect(allLines(path)).toHaveLength(7);
    expect(notices).toEqual([]);
  });
});

describe("a file that goes away", () => {
  it("L2: a file deleted while running is re-made, and its directory too", () => {
    const path = join(freshDirectory(), "deep", "er", "m.log");
    const { log } = openLogBench({ path });
    log.append("one");
    unlinkSync(path);
    log.append("two");
    expect(linesOf(path)).toEqual(["two"]);
    rmSync(join(path, "..", ".."), { recursive: true });
    log.append("three");
    expect(linesOf(path)).toEqual(["three"]);
  });

  it("L2: a file renamed by somebody else is left to them", () => {
    const path = logPath();
    const { log } = openLogBench({ path });
    log.append("one");
    renameSync(path, `${path}.theirs`);
    log.append("two");
    expect(linesOf(path)).toEqual(["two"]);
    expect(linesOf(`${path}.theirs`)).toEqual(["one"]);
  });

  /** Deletes the file in the instant between look and write. */
  function deletingFs(path: string, blind: Partial<DurableFsSync> = {}): DurableFsSync {
    let armed = true;
    return {
      ...node,
      ...blind,
      write: (fd, bytes, offset, length) => {
        if (armed) unlinkSync(path);
        armed = false;
        return node.write(fd, bytes, offset, length);
      },
    };
  }

  it("L2: a line written into a file that was deleted meanwhile is written again", () => {
    const path = logPath();
    openLogBench({ path, fs: deletingFs(path) }).log.append("one");
    expect(linesOf(path)).toEqual(["one"]);
  });

  it("control: without the second look that line is lost", () => {
    const path = logPath();
    openLogBench({ path, fs: deletingFs(path, { linkCount: () => 1 }) }).log.append("one");
    expect(existsSync(path)).toBe(false);
  });

  it("L2: a file that vanishes under every try is an error, not a line lost in silence", () => {
    const { log } = openLogBench({ path: logPath(), fs: { ...node, linkCount: () => 0 } });
    expect(() => log.append("one")).toThrow("ESTALE");
  });

  it("L2: a writer follows another's rotation; without the look at the inode it would not", () => {
    const place = (fs: DurableFsSync): string[] => {
      const path = logPath();
      const idle = openLogBench({ path, fs });
      idle.log.append(line("i", 1));
      const busy = openLogBench({ path });
      for (let n = 1; n <= 4; n++) busy.log.append(line("b", n));
      idle.log.append(line("i", 2));
      expect(allLines(path)).toHaveLength(6);
      return logNames(path).filter((name) =>
        linesOf(join(path, "..", name)).includes(line("i", 2)),
      );
    };
    expect(place(node)).toEqual(["m.log"]);
    let first: ReturnType<DurableFsSync["facts"]> | undefined;
    const blind: DurableFsSync = {
      ...node,
      openLog: (path) => {
        const fd = node.openLog(path);
        first = node.facts(path);
        return fd;
      },
      facts: (path) => (path.endsWith("m.log") && first) || node.facts(path),
    };
    expect(place(blind)).not.toEqual(["m.log"]);
  });
});

describe("torn lines", () => {
  it("L2: what a dead process left unfinished does not swallow the next line", () => {
    const path = logPath();
    writeFileSync(path, "whole\nto");
    const limits = { ...LIMITS, fileBytesMax: 1_000 };
    const { log } = openLogBench({ path, limits });
    log.append("next");
    expect(linesOf(path)).toEqual(["whole", "to", "next"]);
    appendFileSync(path, "rn");
    log.append("last");
    expect(linesOf(path)).toEqual(["whole", "to", "next", "rn", "last"]);
  });

  it("L2: a short write goes on; on a full disk it is an error, and the next line is whole", () => {
    const path = logPath();
    let writes = 0;
    let space = 4;
    const fs: DurableFsSync = {
      ...node,
      write: (fd, bytes, offset, length) => {
        writes++;
        if (space === 0) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
        const written = node.write(fd, bytes, offset, Math.min(length, space));
        space -= written;
        return written;
      },
    };
    const { log } = openLogBench({ path, fs });
    expect(() => log.append("abcdefgh")).toThrow("ENOSPC");
    expect(writes).toBe(2);
    space = 1_000;
    log.append("next");
    expect(linesOf(path)).toEqual(["abcd", "next"]);
  });
});

describe("durability", () => {
  it('L2: with "fsync" each line is synced, and the name of a new file before it', () => {
    const path = logPath();
    const { fs, calls, methods } = faultyFsSync();
    const { log } = openLogBench({ path, fs, durability: "fsync" });
    log.append(line("a", 1));
    const opened = methods().indexOf("openDirectory");
    expect(methods().slice(opened, opened + 3)).toEqual(["openDirectory", "fsync", "close"]);
    expect(opened).toBeLessThan(methods().indexOf("write"));
    expect(methods().slice(methods().indexOf("write"))).toEqual(["write", "fsync", "linkCount"]);
    calls.length = 0;
    log.append(line("a", 2));
    expect(methods()).toEqual(["facts", "write", "fsync", "linkCount"]);
  });

  it('L2: with "fsync" a backup\'s new name is on disk before the one between goes', () => {
    const { fs, calls, methods } = faultyFsSync();
    const { log } = openLogBench({ path: logPath(), fs, durability: "fsync" });
    for (let n = 1; n <= 2; n++) log.append(line("a", n));
    calls.length = 0;
    log.append(line("a", 3));
    const from = methods().indexOf("link");
    expect(methods().slice(from, from + 5)).toEqual([
      "link",
      "openDirectory",
      "fsync",
      "close",
      "unlink",
    ]);
  });

  it('L2: with "none" nothing is synced', () => {
    const { fs, methods } = faultyFsSync();
    const { log } = openLogBench({ path: logPath(), fs });
    for (let n = 1; n <= 5; n++) log.append(line("a", n));
    expect(methods()).not.toContain("fsync");
  });

  it("L2: an fsync that failed is told, and not asked again of its descriptor", () => {
    const { fs, calls, fail, methods } = faultyFsSync();
    const { log } = openLogBench({ path: logPath(), fs, durability: "fsync" });
    log.append("one");
    fail({ method: "fsync", errno: "EIO" });
    expect(() => log.append("two")).toThrow("EIO");
    fail(undefined);
    calls.length = 0;
    log.append("three");
    expect(methods().slice(0, 2)).toEqual(["openLog", "factsOfDescriptor"]);
  });
});

describe("paths", () => {
  it("X1: a symlink, a directory and a FIFO's like are refused with UNSAFE_PATH", () => {
    const dir = freshDirectory();
    symlinkSync(join(dir, "target"), join(dir, "link.log"));
    mkdirSync(join(dir, "dir.log"));
    for (const path of [join(dir, "link.log"), join(dir, "dir.log"), "/dev/null"]) {
      const { log } = openLogBench({ path });
      expect(() => log.append("x")).toThrow(expect.objectContaining({ code: "UNSAFE_PATH" }));
    }
    expect(existsSync(join(dir, "target"))).toBe(false);
  });

  it("X1: a symlink put in the file's place while running is refused, too", () => {
    const path = logPath();
    const { log } = openLogBench({ path });
    log.append("one");
    unlinkSync(path);
    symlinkSync(`${path}.elsewhere`, path);
    expect(() => log.append("two")).toThrow(expect.objectContaining({ code: "UNSAFE_PATH" }));
    expect(existsSync(`${path}.elsewhere`)).toBe(false);
  });

  it("X1: files are 0600 and directories 0700 under a loose umask", () => {
    const before = process.umask(0);
    try {
      const path = join(freshDirectory(), "logs", "m.log");
      const { log } = openLogBench({ path });
      for (let n = 1; n <= 3; n++) log.append(line("a", n));
      const modeOf = (name: string) => statSync(name).mode & 0o777;
      expect([path, `${path}.1`, join(path, "..")].map(modeOf)).toEqual([0o600, 0o600, 0o700]);
    } finally {
      process.umask(before);
    }
  });
});
