import { existsSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import {
  keepReserve,
  RESERVE_FILE_BYTES,
  RESERVE_FILE_COUNT,
  reservePath,
  withReserve,
} from "../../src/queue/reserve.ts";
import { faultyFsSync, systemError } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const PLENTY = () => ({ bytes: 1e9, inodes: 1e6 });

function bench() {
  const layout = queueLayout(join(freshDirectory(), "queue"));
  ensureQueueDirectories(nodeDurableFsSync, layout);
  const { fs, fail, calls } = faultyFsSync();
  const files = () => readdirSync(layout.dir).filter((name) => name.startsWith(".reserve-"));
  return { parts: { fs, layout }, layout, fail, calls, files };
}

it("Q9: the reserve is made of allocated files for the owner alone, and then costs one look", () => {
  const { parts, layout, files, calls } = bench();
  expect(keepReserve(parts, PLENTY)).toBe(true);
  expect(files()).toHaveLength(RESERVE_FILE_COUNT);
  const stats = statSync(reservePath(layout, 0));
  expect(stats.size).toBe(RESERVE_FILE_BYTES);
  expect(stats.blocks * 512).toBeGreaterThanOrEqual(RESERVE_FILE_BYTES);
  expect(stats.mode & 0o777).toBe(0o600);
  calls.length = 0;
  expect(keepReserve(parts, PLENTY)).toBe(true);
  expect(calls.map(({ method }) => method)).toEqual(["facts"]);
});

it.each([
  ["few bytes", { bytes: 1_000_000, inodes: 1e6 }],
  ["few inodes", { bytes: 1e9, inodes: 60 }],
])("Q9: none is made where %s are free", (_what, space) => {
  const { parts, files } = bench();
  expect(keepReserve(parts, () => space)).toBe(false);
  expect(files()).toEqual([]);
});

it("Q9: what fails for want of space gives the reserve up and is done once more", () => {
  const { parts, files } = bench();
  keepReserve(parts, PLENTY);
  const answers = [systemError("ENOSPC"), "done"];
  const act = () => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return [answer, files().length];
  };
  expect(withReserve(parts, act)).toEqual(["done", 0]);
  // Given up for good until there is plenty again.
  answers.push(systemError("EDQUOT"), "too late");
  expect(() => withReserve(parts, act)).toThrow(/EDQUOT/);
  expect(answers).toEqual(["too late"]);
  expect(keepReserve(parts, PLENTY)).toBe(true);
  expect(files()).toHaveLength(RESERVE_FILE_COUNT);
});

it("Q9: any other failure leaves the reserve alone", () => {
  const { parts, files } = bench();
  keepReserve(parts, PLENTY);
  const fails = () => {
    throw systemError("EIO");
  };
  expect(() => withReserve(parts, fails)).toThrow(/EIO/);
  expect(files()).toHaveLength(RESERVE_FILE_COUNT);
});

it("Q9: a maker that fails leaves no half file, and a half file of one that died is made whole", () => {
  const { parts, layout, fail, files } = bench();
  fail({ method: "fsync", nth: 2, errno: "ENOSPC" });
  expect(keepReserve(parts, PLENTY)).toBe(false);
  expect(files()).toEqual([".reserve-0"]);
  fail(undefined);
  keepReserve(parts, PLENTY);
  truncateSync(reservePath(layout, 1), 100);
  truncateSync(reservePath(layout, RESERVE_FILE_COUNT - 1), 0);
  expect(keepReserve(parts, PLENTY)).toBe(true);
  for (let n = 0; n < RESERVE_FILE_COUNT; n++) {
    expect(statSync(reservePath(layout, n)).size).toBe(RESERVE_FILE_BYTES);
  }
});

it("Q9: without directory, and with somebody else's directory in the way, there is none and no error", () => {
  const { parts, layout } = bench();
  nodeDurableFsSync.makeDirectory(reservePath(layout, 0));
  writeFileSync(join(reservePath(layout, 0), "theirs"), "kept");
  expect(keepReserve(parts, PLENTY)).toBe(false);
  expect(existsSync(join(reservePath(layout, 0), "theirs"))).toBe(true);
  const gone = { fs: parts.fs, layout: queueLayout(join(freshDirectory(), "gone")) };
  expect(keepReserve(gone)).toBe(false);
});
