/** A thread inside a native call must not keep a server from ending. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { expect, it, onTestFinished } from "vitest";
import { bundleChild } from "../support/bundled-child.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

/** Starts the child while the lock that its worker waits for is held. */
async function lockedOut(how: string) {
  const directory = freshDirectory();
  const file = join(directory, "locked.db");
  const holder = new DatabaseSync(file);
  holder.exec("CREATE TABLE held (x); BEGIN IMMEDIATE");
  const binding = resolve("node_modules/@photostructure/sqlite/dist/index.mjs");
  const child = spawn(process.execPath, [
    ...[await bundleChild("stuck-child", directory), binding, file, how],
  ]);
  const exited = once(child, "exit");
  onTestFinished(() => {
    child.kill("SIGKILL");
    if (holder.isOpen) holder.close();
  });
  await once(child.stdout, "data");
  return { child, exited, holder };
}

it("I7: a server ends although its ingester's thread is inside a call that does not return", async () => {
  const { exited } = await lockedOut("as a server");
  expect(await exited).toEqual([null, "SIGKILL"]);
});

it("I7: without that, the process waits for the call (negative control)", async () => {
  const { child, exited, holder } = await lockedOut("by exit alone");
  // Its exit has begun and can not end before the lock is let go of.
  expect(child.exitCode).toBe(null);
  holder.exec("ROLLBACK");
  expect(await exited).toEqual([0, null]);
});
