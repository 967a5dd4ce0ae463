/**
 * The newest id that was ever unlinked, so that a process whose clock stepped back does not make
 * ids that sort before it although the queue is empty.
 *
 * Guarantees: recorded before the unlink, by an atomic, fsynced rewrite. Reading checks the form;
 * if the file is missing or damaged, the newest whole done file stands in.
 */
import { join } from "node:path";
import type { DurableFs } from "../platform/durable-fs.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { decodeMembers } from "./archive-member.ts";
import { isArchiveName } from "./done-archive.ts";
import { pendingUlid, type QueueLayout } from "./layout.ts";

/** Remembers what it wrote last, so that an older batch costs nothing. */
export class HighWater {
  readonly #fs: DurableFsSync;
  readonly #layout: QueueLayout;
  #last = "";

  constructor(fs: DurableFsSync, layout: QueueLayout) {
    this.#fs = fs;
    this.#layout = layout;
  }

  /** @throws the system error of the rewrite */
  record(ulid: string): void {
    if (ulid <= this.#last) return;
    this.#fs.replace(this.#layout.highWaterFile, ulid, "fsync");
    this.#last = ulid;
  }
}

/** The newest ids that this queue shows, oldest first; empty for a new queue. */
export async function newestIds(fs: DurableFs, layout: QueueLayout): Promise<string[]> {
  const pending = (await fs.names(layout.dir)).map(pendingUlid).filter((id) => id !== undefined);
  const found = [
    maximum(pending),
    (await readHighWater(fs, layout)) ?? (await newestDone(fs, layout)),
  ];
  return found.filter((id) => id !== undefined).sort();
}

async function readHighWater(fs: DurableFs, layout: QueueLayout): Promise<string | undefined> {
  const content = await fs.read(layout.highWaterFile).catch(() => undefined);
  return content && pendingUlid(`pending-${content.toString("latin1").trim()}.json`);
}

/** The stand-in only costs time when the high-water file is gone; failures mean "nothing known". */
async function newestDone(fs: DurableFs, layout: QueueLayout): Promise<string | undefined> {
  const names = (await fs.names(layout.doneDir).catch(() => [])).filter(isArchiveName).sort();
  const newest = names.at(-1);
  if (newest === undefined) return undefined;
  const file = await fs.read(join(layout.doneDir, newest)).catch(() => Buffer.alloc(0));
  const ids: string[] = [];
  for (const member of decodeMembers(file, () => {})) {
    for (const line of member.lines) {
      const id = pendingUlid(`pending-${line.toString("latin1", 9, 35)}.json`);
      if (id !== undefined) ids.push(id);
    }
  }
  return maximum(ids);
}

function maximum(ids: readonly string[]): string | undefined {
  let newest: string | undefined;
  for (const id of ids) if (newest === undefined || id > newest) newest = id;
  return newest;
}
