import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { SharedDirectorySync } from "../../src/platform/shared-directory-sync.ts";
import { faultyFs } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

/** A file system whose fsyncs end when the test says so. */
function heldFs(): { fs: DurableFs; pending: (() => void)[]; started: () => number } {
  const pending: (() => void)[] = [];
  let started = 0;
  const fs: DurableFs = {
    ...nodeDurableFs,
    fsync: async (fd) => {
      started++;
      await new Promise<void>((resolve) => pending.push(resolve));
      await nodeDurableFs.fsync(fd);
    },
  };
  return { fs, pending, started: () => started };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

it("Q7: whoever arrives while an fsync runs waits for the next one, and all of them share it", async () => {
  const { fs, pending, started } = heldFs();
  const directory = new SharedDirectorySync(fs, freshDirectory());
  const order: string[] = [];
  const first = directory.sync().then(() => order.push("first"));
  await until(() => pending.length === 1);
  const late = [1, 2, 3].map((n) => directory.sync().then(() => order.push(`late ${n}`)));
  pending.shift()?.();
  await first;
  expect(order).toEqual(["first"]);
  await until(() => pending.length === 1);
  pending.shift()?.();
  await Promise.all(late);
  expect(order).toHaveLength(4);
  expect(started()).toBe(2);
  await directory.close();
});

it("Q4: a failed fsync rejects all its waiters, is not repeated on its descriptor, and the directory is opened anew", async () => {
  const { fs, calls, fail } = faultyFs();
  const directory = new SharedDirectorySync(fs, freshDirectory());
  fail({ method: "fsync", nth: 2, errno: "EIO" });
  // The first runs at once; the others arrive while it runs and share the second fsync.
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => directory.sync()));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  await directory.sync();
  await directory.close();
  const seen = calls.map(({ method }) => method);
  expect(seen.filter((method) => method === "openDirectory")).toHaveLength(2);
  expect(seen.filter((method) => method === "close")).toHaveLength(2);
  expect(seen.indexOf("close")).toBeLessThan(seen.lastIndexOf("openDirectory"));
});

it("Q1: a directory that was moved away and replaced is opened anew before anybody is told", async () => {
  const home = freshDirectory();
  const path = join(home, "queue");
  mkdirSync(path);
  const { fs, calls } = faultyFs();
  const directory = new SharedDirectorySync(fs, path);
  await directory.sync();
  renameSync(path, join(home, "moved"));
  mkdirSync(path);
  await directory.sync();
  await directory.close();
  expect(calls.filter(({ method }) => method === "openDirectory")).toHaveLength(2);
});

it("Q1: a directory that is gone is an error, not a silent success", async () => {
  const home = freshDirectory();
  const path = join(home, "queue");
  mkdirSync(path);
  const directory = new SharedDirectorySync(nodeDurableFs, path);
  await directory.sync();
  renameSync(path, join(home, "moved"));
  await expect(directory.sync()).rejects.toMatchObject({ code: "ENOENT" });
  await directory.close();
});
