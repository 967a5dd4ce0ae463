/**
 * The real file system without its fsync, for states that only have to outlive this process.
 *
 * Guarantees: every other call is made for real. A power cut is modelled elsewhere; waiting for a
 * real disk here would only make fewer states fit into a run.
 */
import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";

export const memoryFs: DurableFs = { ...nodeDurableFs, fsync: async () => {} };

export const memoryFsSync: DurableFsSync = {
  ...nodeDurableFsSync,
  fsync: () => {},
  replace: (path, content) => nodeDurableFsSync.replace(path, content, "none"),
};

/** A directory in memory if there is one, else the temporary one. */
export function memoryRoot(): string {
  const shared = "/dev/shm";
  try {
    accessSync(shared, constants.W_OK);
    return shared;
  } catch {
    return tmpdir(); // another platform: slower, and just as good
  }
}
