/**
 * The newest id that was ever unlinked, so that a process whose clock stepped back does not make
 * ids that sort before it although the queue is empty.
 *
 * Guarantees: recorded before the unlink, by an atomic, fsynced rewrite, and never set back to an
 * older id. Ids far ahead of the clock count nowhere, lest one of them hide all others. Reading
 * checks the form; if the file is missing or damaged, the newest whole done file stands in.
 * Two ingesters that record in the same moment may leave the older id: the next batch mends it.
 */
import { join } from "node:path";
import { type Clock, systemClock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import { isFarAhead } from "../record/record-id.ts";
import { decodeMembers } from "./archive-member.ts";
import { isArchiveName } from "./done-archive.ts";
import { pendingUlid, type QueueLayout, quarantinedUlid } from "./layout.ts";
import { sortNames } from "./pending-list.ts";
import { withReserve } from "./reserve.ts";
import { sortSegments } from "./spill-segment.ts";

const ULID_CHARS = 26;

/** Remembers what it wrote last, so that an older batch costs nothing. */
export class HighWater {
  readonly #fs: DurableFsSync;
  readonly #layout: QueueLayout;
  readonly #clock: Clock;
  #last = "";

  constructor(fs: DurableFsSync, layout: QueueLayout, clock: Clock = systemClock) {
    this.#fs = fs;
    this.#layout = layout;
    this.#clock = clock;
  }

  /**
   * @param ulids what is about to be unlinked, in any order
   * @throws the system error of the rewrite
   */
  record(ulids: readonly string[]): void {
    const nowMs = this.#clock.nowMs();
    const newest = newestCredible(ulids, nowMs);
    if (newest === undefined || newest <= this.#last) return;
    const recorded = newestCredible([this.#onDisk()], nowMs);
    if (recorded === undefined || recorded < newest) {
      const file = this.#layout.highWaterFile;
      withReserve({ fs: this.#fs, layout: this.#layout }, () =>
        this.#fs.replace(file, newest, "fsync"),
      );
    }
    this.#last = newest;
  }

  /** Another process, or this one before its restart, may have recorded a newer id. */
  #onDisk(): string | undefined {
    const content = Buffer.alloc(ULID_CHARS);
    try {
      const fd = this.#fs.openRead(this.#layout.highWaterFile);
      try {
        this.#fs.read(fd, content);
      } finally {
        this.#fs.close(fd);
      }
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return undefined; // none yet, or not readable: it is written anew
    }
    return ulidIn(content);
  }
}

/**
 * The ids that new ones must sort behind, oldest first; empty for a new queue. Also the newest
 * pending id if it is too far ahead to be believed, so that somebody is told.
 * @param listed pending ids, if the caller has just listed them
 */
export async function newestIds(
  fs: DurableFs,
  layout: QueueLayout,
  nowMs: number,
  listed?: readonly string[],
): Promise<string[]> {
  const pending = listed ?? sortNames(await fs.names(layout.dir)).ulids;
  const spilled = sortSegments(await fs.names(layout.overflowDir).catch(() => []));
  // Set aside and not ingested, so nobody recorded it; it may be sent back.
  const quarantined = (await fs.names(layout.quarantineDir).catch(() => [])).map(quarantinedUlid);
  const highWater = newestCredible([await readHighWater(fs, layout)], nowMs);
  const found = [
    maximum(pending),
    newestCredible(pending, nowMs),
    newestCredible(quarantined, nowMs),
    newestCredible(
      spilled.map(({ last }) => last),
      nowMs,
    ),
    highWater ?? newestCredible(await newestDone(fs, layout), nowMs),
  ];
  return [...new Set(found.filter((id) => id !== undefined))].sort();
}

async function readHighWater(fs: DurableFs, layout: QueueLayout): Promise<string | undefined> {
  const content = await fs.read(layout.highWaterFile).catch(() => undefined);
  return content && ulidIn(content);
}

function ulidIn(content: Buffer): string | undefined {
  return pendingUlid(`pending-${content.toString("latin1").trim()}.json`);
}

/** The stand-in only costs time when the high-water file is gone; failures mean "nothing known". */
async function newestDone(fs: DurableFs, layout: QueueLayout): Promise<string[]> {
  const names = (await fs.names(layout.doneDir).catch(() => [])).filter(isArchiveName).sort();
  const newest = names.at(-1);
  if (newest === undefined) return [];
  const file = await fs.read(join(layout.doneDir, newest)).catch(() => Buffer.alloc(0));
  const ids: string[] = [];
  for (const member of decodeMembers(file, () => {})) {
    for (const line of member.lines) {
      const id = pendingUlid(`pending-${line.toString("latin1", 9, 35)}.json`);
      if (id !== undefined) ids.push(id);
    }
  }
  return ids;
}

function newestCredible(ids: readonly (string | undefined)[], nowMs: number): string | undefined {
  return maximum(ids.filter((id) => id !== undefined && !isFarAhead(id, nowMs)));
}

function maximum(ids: readonly (string | undefined)[]): string | undefined {
  let newest: string | undefined;
  for (const id of ids) if (id !== undefined && (newest === undefined || id > newest)) newest = id;
  return newest;
}
