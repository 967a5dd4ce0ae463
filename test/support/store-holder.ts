/** A second process, not of ours, that stands on the store's write lock. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";

const HOLDER = resolve("test/support/store-holder.mjs");

export interface StoreHolder {
  /** Gives the lock back; resolves when the process is gone. */
  readonly release: () => Promise<void>;
  /** How often it had the lock so far. */
  readonly times: () => number;
}

export interface HoldRhythm {
  readonly holdMs: number;
  readonly freeMs: number;
}

export const storeFileOf = (home: string) => join(home, "store", "memspool.db");

/**
 * Resolves when the lock is held for the first time. The store must have been made.
 * @param rhythm takes it again and again; without one it is held until it is released
 */
export async function holdStore(home: string, rhythm?: HoldRhythm): Promise<StoreHolder> {
  const task = JSON.stringify({ file: storeFileOf(home), ...rhythm });
  const child = spawn(process.execPath, [HOLDER, task], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.on("error", () => {});
  const gone = once(child, "close").then(() => {});
  let times = 0;
  const held = new Promise<void>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      times += chunk.toString("utf8").split("\n").length - 1;
      resolve();
    });
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await gone;
  });
  await Promise.race([
    held,
    gone.then(() => {
      throw new Error("the holder of the store ended before it had the lock");
    }),
  ]);
  const release = () => {
    child.stdin.end();
    return gone;
  };
  return { release, times: () => times };
}
