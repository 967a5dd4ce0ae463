/**
 * How long this thread works on something, for budgets: the least of three measures, each of which may
 * say too much and none too little.
 *
 *   the event loop's active time   also counts waiting for a core, which a busy machine makes long
 *   the process's processor time   also counts its other threads
 *   the thread's, as Linux tells   the truth; elsewhere the other two remain
 *
 * Does not guarantee: what else the thread does meanwhile is counted, too. Holds one descriptor from
 * the first measure to `close`.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

/** The file holds three numbers. */
const TEXT_BYTES = 80;
const NS_PER_MS = 1_000_000;
const US_PER_MS = 1_000;

export class ThreadTime {
  readonly #path: string;
  readonly #text = Buffer.alloc(TEXT_BYTES);
  #fd: number | undefined;
  #isMissing = false;

  /** @param procRoot where the kernel tells of threads; a seam for tests */
  constructor(procRoot: string) {
    // Of the main thread, whichever thread reads it.
    this.#path = join(procRoot, String(process.pid), "task", String(process.pid), "schedstat");
  }

  /** @returns asks for the milliseconds since */
  start(): () => number {
    const before = this.#now();
    return () => {
      const now = this.#now();
      const activeMs = now.activeMs - before.activeMs;
      const processMs = now.processMs - before.processMs;
      const threadMs = now.threadMs - before.threadMs; // not a number where nobody tells
      const leastMs = Math.min(activeMs, processMs);
      return Math.max(0, threadMs < leastMs ? threadMs : leastMs);
    };
  }

  /** Idempotent. A measure that is asked for afterwards does without the file. */
  close(): void {
    this.#isMissing = true;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #now() {
    const activeMs = performance.eventLoopUtilization().active;
    // Before the file is read: it makes the kernel bring the thread's time up to date.
    const { user, system } = process.cpuUsage();
    return { activeMs, processMs: (user + system) / US_PER_MS, threadMs: this.#threadMs() };
  }

  #threadMs(): number {
    if (this.#isMissing) return Number.NaN;
    try {
      this.#fd ??= openSync(this.#path, "r");
      const bytes = readSync(this.#fd, this.#text, 0, TEXT_BYTES, 0);
      const [runNs = ""] = this.#text.toString("latin1", 0, bytes).split(" ");
      return runNs === "" ? Number.NaN : Number(runNs) / NS_PER_MS;
    } catch {
      this.close(); // not Linux, or a kernel or sandbox without it: whatever the errno, so it stays
      return Number.NaN;
    }
  }
}
