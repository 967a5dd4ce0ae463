/** What lies on the disk, as the quota counts it: the shape that the meter gives and pressure reads. */

/** Bytes are sizes of files. A file that moves from one place to the next counts in one of them. */
export interface SpoolUsage {
  /** Of the clock's monotonic time, when the look began. */
  readonly atMs: number;
  /** Committed envelopes in the queue's directory. */
  readonly pendingBytes: number;
  readonly pendingCount: number;
  /** Segments of spilled records. */
  readonly spilledBytes: number;
  /** The done archive. */
  readonly doneBytes: number;
  /** That part of the done archive which may be trimmed by its age: files of earlier UTC hours. */
  readonly trimmableBytes: number;
  /** Not counted by the quota: files on their way, and what was set aside. */
  readonly tempBytes: number;
  readonly quarantineBytes: number;
  /** Of the file system, for this user. */
  readonly freeBytes: number;
  /** Infinity where the file system makes inodes as it needs them. */
  readonly freeInodes: number;
}

/** What the quota counts. */
export function usedBytes(usage: SpoolUsage): number {
  return usage.pendingBytes + usage.spilledBytes + usage.doneBytes;
}

/** Above it the done archive is trimmed. */
export function softLimitBytes(quotaBytes: number, softPct: number): number {
  return Math.floor((quotaBytes * softPct) / 100);
}

/** A disk that was nearly full has room again from here on, a little above its minimum. */
export function enoughFree(min: number): number {
  return min * 1.05;
}
