/**
 * What a start does about the last crash. docs/QUEUE_FORMAT.md, "Start-up recovery".
 *
 * Guarantees: every step is harmless when repeated or cut short; only leftovers are removed, and
 * only when their age proves that nobody is writing them. Emits one event with the counts.
 */
import { join } from "node:path";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import { Claims, MARK_FRESH_MS } from "./claim.ts";
import { ensureQueueDirectories } from "./directories.ts";
import { finishPrunes } from "./finish-prune.ts";
import { isLeftover, markPath, type QueueLayout, quarantinedUlid } from "./layout.ts";
import type { MarkMemory } from "./mark-memory.ts";
import { sortNames } from "./pending-list.ts";
import { finishMove } from "./quarantine.ts";

/** No write of ours takes an hour; a younger temp file may be somebody's capture under way. */
export const LEFTOVER_AGE_MS = 3_600_000;

export interface RecoverParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  readonly markMemory?: MarkMemory | undefined;
}

/** @throws MemspoolError UNSAFE_PATH, DATA_DIR_UNUSABLE; system errors of the directory */
export function recover(parts: RecoverParts): void {
  const { fs, layout, clock, events } = parts;
  const startedMs = clock.monotonicMs();
  ensureQueueDirectories(fs, layout);
  const names = fs.names(layout.dir);
  const { ulids, marked } = sortNames(names);
  const pending = new Set(ulids);
  let tempRemoved = sweep(parts, layout.dir, names);
  for (const dir of [layout.quarantineDir, layout.ingesterDir]) {
    tempRemoved += sweep(parts, dir, fs.names(dir));
  }
  const movesFinished = finishMoves(parts, pending);
  const claims = new Claims(fs, layout, clock, parts.markMemory);
  const spillsFinished = finishPrunes({ fs, layout, claims }, pending);
  let marksRemoved = 0;
  for (const ulid of marked) {
    if (!pending.has(ulid) && removeIfOlder(parts, markPath(layout, ulid), MARK_FRESH_MS)) {
      marksRemoved++;
    }
  }
  events.emit("recovery_completed", {
    temp_removed: tempRemoved,
    marks_removed: marksRemoved,
    moves_finished: movesFinished,
    spills_finished: spillsFinished,
    pending: pending.size,
    ms: Math.round(clock.monotonicMs() - startedMs),
  });
}

function sweep(parts: RecoverParts, dir: string, names: readonly string[]): number {
  let removed = 0;
  for (const name of names) {
    if (isLeftover(name) && removeIfOlder(parts, join(dir, name), LEFTOVER_AGE_MS)) removed++;
  }
  return removed;
}

function finishMoves(parts: RecoverParts, pending: Set<string>): number {
  let finished = 0;
  for (const name of parts.fs.names(parts.layout.quarantineDir)) {
    const ulid = quarantinedUlid(name);
    if (ulid === undefined || !pending.has(ulid)) continue;
    if (finishMove(parts.fs, parts.layout, ulid, name)) {
      pending.delete(ulid);
      finished++;
    }
  }
  return finished;
}

/** An age in the future is no age: such a file stays until the clock has passed it. */
function removeIfOlder(parts: RecoverParts, path: string, ageMs: number): boolean {
  const { fs, clock } = parts;
  try {
    const facts = fs.facts(path);
    if (clock.nowMs() - facts.mtimeMs <= ageMs) return false;
    if (facts.kind === "directory") fs.removeDirectory(path);
    else fs.unlink(path);
    return true;
  } catch (error) {
    // Another process swept it, or it is not ours to remove. Rubbish stops nobody's start.
    if (isErrno(error, "ENOENT", "ENOTEMPTY", "EEXIST", "EACCES", "EPERM", "EBUSY")) return false;
    throw error;
  }
}
