import { expect, it } from "vitest";
import { type DirectorySyncStep, lacksDirectoryFsync } from "../../src/platform/directory-fsync.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync, syncDirectorySync } from "../../src/platform/durable-fs-sync.ts";
import { SharedDirectorySync } from "../../src/platform/shared-directory-sync.ts";
import { faultyFs, faultyFsSync, systemError } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

it.each<[string, DirectorySyncStep, NodeJS.Platform, boolean]>([
  ["EINVAL", "fsync", "linux", true],
  ["ENOTSUP", "fsync", "linux", true],
  ["ENOSYS", "fsync", "linux", true],
  ["EISDIR", "open", "linux", true],
  ["EIO", "fsync", "linux", false],
  ["ENOSPC", "fsync", "linux", false],
  ["EACCES", "open", "linux", false],
  ["EPERM", "fsync", "linux", false],
  ["EINVAL", "open", "linux", false],
  ["EPERM", "open", "win32", true],
  ["EPERM", "fsync", "win32", true],
  ["EIO", "fsync", "win32", false],
])("X3: %s of %s on %s: no directory fsync there is %s", (errno, step, platform, expected) => {
  expect(lacksDirectoryFsync(systemError(errno), step, platform)).toBe(expected);
});

it("X3: a directory without fsync is told once, and everybody who waits goes on", async () => {
  const { fs, fail } = faultyFs();
  const told: string[] = [];
  const directory = new SharedDirectorySync(fs, freshDirectory(), (errno) => told.push(errno));
  fail({ method: "fsync", errno: "EINVAL" });
  await Promise.all([directory.sync(), directory.sync()]);
  await directory.sync();
  expect(told).toEqual(["EINVAL"]);
  fail({ method: "fsync", errno: "EIO" });
  await expect(directory.sync()).rejects.toMatchObject({ code: "EIO" });
  await directory.close();
});

it("X3: a directory that can not be opened for it goes on too, and one that is gone does not", async () => {
  const { fs, fail } = faultyFs();
  const directory = new SharedDirectorySync(fs, freshDirectory());
  fail({ method: "openDirectory", errno: "EISDIR" });
  await directory.sync();
  await directory.close();
  const gone = new SharedDirectorySync(nodeDurableFs, `${freshDirectory()}/gone`);
  await expect(gone.sync()).rejects.toMatchObject({ code: "ENOENT" });
});

it("X3: the synchronous twin judges the same, and leaves no descriptor behind", () => {
  const { fs, fail, methods } = faultyFsSync();
  const directory = freshDirectory();
  fail({ method: "fsync", errno: "ENOTSUP" });
  syncDirectorySync(fs, directory);
  fail({ method: "fsync", errno: "EIO" });
  expect(() => syncDirectorySync(fs, directory)).toThrow(/EIO/);
  const count = (wanted: string) => methods().filter((method) => method === wanted).length;
  expect(count("close")).toBe(count("openDirectory"));
  expect(() => syncDirectorySync(nodeDurableFsSync, `${directory}/gone`)).toThrow(/ENOENT/);
});
