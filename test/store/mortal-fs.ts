/** A file system whose process dies: from one call on, nothing of what is asked happens any more. */
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { systemError } from "../support/faulty-fs.ts";

export interface MortalFs {
  readonly fs: DurableFsSync;
  readonly died: () => boolean;
}

/** @param count calls that happen before the death */
export function mortalFs(count: number, base: DurableFsSync = nodeDurableFsSync): MortalFs {
  let calls = 0;
  let died = false;
  const entries = Object.entries(base).map(([name, call]) => [
    name,
    (...args: never[]) => {
      if (calls++ >= count) {
        died = true;
        throw systemError("ESRCH");
      }
      return (call as (...given: never[]) => unknown)(...args);
    },
  ]);
  return { fs: Object.fromEntries(entries) as DurableFsSync, died: () => died };
}
