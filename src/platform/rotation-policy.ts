/**
 * Which files a rotated log consists of, when it needs room and how room is made. Pure.
 *
 * `<name>` is the current file, `<name>.1` the newest backup and the highest number the oldest. A
 * file on its way from one name to another is called `<name>.moving-<slot>-<hex>` for a moment: it
 * holds lines like the others, and whoever rotates next brings home what a crash left there.
 *
 * Guarantees: a plan never gives a file the name of another, whatever holes the numbers have.
 * Does not guarantee the limits while rotation fails, nor against one line larger than a file.
 */

export interface RotationLimits {
  /** A line that would make the current file larger than this goes into a new one. */
  readonly fileBytesMax: number;
  readonly backupsMax: number;
  /** Of all files together; at least two of the largest. */
  readonly totalBytesMax: number;
}

export interface BackupSize {
  /** Its number: 1 is the newest. */
  readonly slot: number;
  readonly bytes: number;
}

export interface RotationPlan {
  /** Slots to delete, in this order. */
  readonly drops: readonly number[];
  /** Then files to rename to the next slot, in this order; slot 0 is the current file. */
  readonly moves: readonly number[];
}

/** Most backups that a setting may ask for. */
export const BACKUPS_MAX = 100;
/** Use of the total at which one warning is due, in percent. */
export const NEAR_LIMIT_PCT = 90;
/** Rest after a rotation that failed for good; lines go on into the current file. */
export const COOL_DOWN_MS = 60_000;
/** Wait before the second and the third attempt. */
const RETRY_DELAYS_MS = [100, 200];
/** Somebody has the file in use: it may be over in a moment. All others stay as they are. */
const RETRIED = new Set(["EAGAIN", "EBUSY", "ETXTBSY"]);

/** @param attempts made so far; undefined means that there is no further one */
export function retryDelayMs(error: string, attempts: number): number | undefined {
  return RETRIED.has(error) ? RETRY_DELAYS_MS[attempts - 1] : undefined;
}

/**
 * What has to happen before a line of this size is written; empty if nothing.
 * The newest backup only goes when another takes its place: a file that grew beyond the total while
 * rotation failed would otherwise be deleted as soon as it is rotated.
 */
export function planRotation(
  currentBytes: number,
  backups: readonly BackupSize[],
  lineBytes: number,
  limits: RotationLimits,
): RotationPlan {
  const rotates = currentBytes > 0 && currentBytes + lineBytes > limits.fileBytesMax;
  const kept = backups.toSorted((a, b) => a.slot - b.slot);
  const room = limits.backupsMax - (rotates ? 1 : 0);
  let totalBytes = kept.reduce((sum, { bytes }) => sum + bytes, currentBytes + lineBytes);
  const drops: number[] = [];
  for (let oldest = kept.at(-1); oldest; oldest = kept.at(-1)) {
    const tooLarge = totalBytes > limits.totalBytesMax && (rotates || kept.length > 1);
    if (kept.length <= room && !tooLarge) break;
    kept.pop();
    totalBytes -= oldest.bytes;
    drops.push(oldest.slot);
  }
  return { drops, moves: rotates ? movesInto(kept) : [] };
}

/** From the first hole downwards, so that every target is free. */
function movesInto(kept: readonly BackupSize[]): number[] {
  const taken = new Set(kept.map(({ slot }) => slot));
  let free = 1;
  while (taken.has(free)) free++;
  return Array.from({ length: free }, (_, n) => free - 1 - n);
}

/** @throws TypeError for limits that can not be kept together */
export function checkLimits({ fileBytesMax, backupsMax, totalBytesMax }: RotationLimits): void {
  const counts = [fileBytesMax, backupsMax, totalBytesMax];
  if (!counts.every((count) => Number.isSafeInteger(count) && count >= 1)) {
    throw new TypeError("rotation limits are whole numbers of at least 1");
  }
  if (backupsMax > BACKUPS_MAX) throw new TypeError(`at most ${BACKUPS_MAX} backups`);
  if (totalBytesMax < 2 * fileBytesMax) throw new TypeError("the total must hold two files");
}

export type LogFileName =
  | { readonly kind: "backup"; readonly slot: number }
  /** On its way to this slot. */
  | { readonly kind: "moving"; readonly slot: number }
  /** A lock that was found stale and taken away. */
  | { readonly kind: "old_lock" };

/**
 * What a name in the log's directory is to it; undefined for a stranger's.
 * @param base name of the current file
 */
export function readLogFileName(base: string, name: string): LogFileName | undefined {
  if (!name.startsWith(`${base}.`)) return undefined;
  const rest = name.slice(base.length + 1);
  const backup = /^[1-9]\d{0,2}$/.exec(rest);
  if (backup) return { kind: "backup", slot: Number(rest) };
  const slot = /^moving-([1-9]\d{0,2})-[0-9a-f]{12}$/.exec(rest)?.[1];
  if (slot !== undefined) return { kind: "moving", slot: Number(slot) };
  return /^lock\.[0-9a-f]{12}$/.test(rest) ? { kind: "old_lock" } : undefined;
}

/** Path of a slot; 0 is the current file itself. */
export function slotPath(path: string, slot: number): string {
  return slot === 0 ? path : `${path}.${slot}`;
}
