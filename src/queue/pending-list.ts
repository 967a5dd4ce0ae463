/** What lies in the queue, by name, oldest first. Reads no envelope. */
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { markUlid, pendingUlid, type QueueLayout } from "./layout.ts";

export interface PendingNames {
  /** Oldest first: ids sort by time. */
  readonly ulids: readonly string[];
  /** Ids that have a mark beside them or left behind. */
  readonly marked: ReadonlySet<string>;
}

/** Sorts a directory's names into ids; foreign names are left out. */
export function sortNames(names: readonly string[]): PendingNames {
  const ulids: string[] = [];
  const marked = new Set<string>();
  for (const name of names) {
    const ulid = pendingUlid(name);
    if (ulid !== undefined) {
      ulids.push(ulid);
      continue;
    }
    const mark = markUlid(name);
    if (mark !== undefined) marked.add(mark);
  }
  return { ulids: ulids.sort(), marked };
}

/** @throws the system error of the directory */
export function listPendingSync(fs: DurableFsSync, layout: QueueLayout): PendingNames {
  return sortNames(fs.names(layout.dir));
}
