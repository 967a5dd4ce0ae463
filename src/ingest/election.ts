/**
 * Elects one ingester among the processes of a data directory.
 *
 * Guarantees: never throws out of a timer and never ends the process; a lease whose holder died is
 * taken over after LEASE_STALE_MS and one poll; a lease dated ahead of the clock counts as stale
 * too. Does not guarantee a single leader: a stalled one overlaps its successor, and take-over can
 * elect two. Ingesters are harmless side by side, the lease only saves work.
 */
import { check, lock } from "proper-lockfile";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import type { QueueLayout } from "../queue/layout.ts";

export const LEASE_STALE_MS = 8_000;
const LEASE_UPDATE_MS = 2_000;
export const ELECTION_POLL_MS = 2_000;

export type LostReason = "compromised";

export interface ElectionOptions {
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly fs: DurableFsSync;
  readonly onElected: () => void;
  readonly onLost: (reason: LostReason) => void;
}

interface Lease {
  release: () => Promise<void>;
}

export class Election {
  readonly #options: ElectionOptions;
  #lease: Lease | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> | undefined;
  #releasing: Promise<void> | undefined;
  #stopped = false;
  #obstacle: string | undefined;

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  get leads(): boolean {
    return this.#lease !== undefined;
  }

  /** The errno with which the disk refused the last attempt, if it did: nobody else leads, then. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** Stands for election now and then every ELECTION_POLL_MS, until stopped. */
  start(): void {
    if (this.#timer || this.#stopped) return;
    this.#timer = setInterval(() => void this.try(), ELECTION_POLL_MS);
    this.#timer.unref();
    void this.try();
  }

  /** One attempt; resolves to whether this process leads. */
  async try(): Promise<boolean> {
    this.#trying ??= this.#attempt().finally(() => {
      this.#trying = undefined;
    });
    await this.#trying;
    return this.leads;
  }

  /** Gives the lease back but stays a candidate; the next poll may elect this process again. */
  async resign(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    // ENOTACQUIRED, ERELEASED, ENOENT: the lease was lost before we gave it back.
    if (lease !== undefined) this.#releasing = lease.release().catch(() => {});
    await this.#releasing;
  }

  /** Gives the lease back, if held. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#trying;
    await this.resign();
  }

  async #attempt(): Promise<void> {
    if (this.#lease || this.#stopped) return;
    const { layout } = this.#options;
    const lease: Lease = { release: async () => {} };
    this.#obstacle = undefined;
    try {
      this.#clearUnusableLease();
      lease.release = await lock(layout.ingesterDir, {
        lockfilePath: layout.leasePath,
        realpath: false,
        stale: LEASE_STALE_MS,
        update: LEASE_UPDATE_MS,
        retries: 0,
        // The library's default throws from a timer, which would end the process.
        onCompromised: () => this.#lost(lease),
      });
      if (this.#stopped) {
        await lease.release().catch(() => {}); // as in resign()
        return;
      }
      this.#lease = lease;
      this.#options.onElected();
    } catch (error) {
      // ELOCKED: another leads. System errors: no lease can be had; the next poll tries again, and
      // health reports that nobody leads.
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      if (errno !== "ELOCKED") this.#obstacle = errno;
    }
  }

  /** The library may still say so of a lease that was given back meanwhile. */
  #lost(lease: Lease): void {
    if (this.#lease !== lease) return;
    this.#lease = undefined;
    if (!this.#stopped) this.#options.onLost("compromised");
  }

  /**
   * The library takes a lease from the future as fresh until that time has come, and can not take
   * over what is no directory: either would leave the queue without an ingester.
   */
  #clearUnusableLease(): void {
    const { fs, layout, clock } = this.#options;
    try {
      const { kind, mtimeMs } = fs.facts(layout.leasePath);
      const aheadMs = mtimeMs - clock.nowMs();
      if (kind !== "directory" && Math.abs(aheadMs) > LEASE_STALE_MS) fs.unlink(layout.leasePath);
      else if (aheadMs > LEASE_STALE_MS) fs.removeDirectory(layout.leasePath);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error; // the attempt that follows meets it again
    }
  }
}

/** Whether any process holds a fresh lease. */
export async function leaseIsHeld(layout: QueueLayout): Promise<boolean> {
  try {
    return await check(layout.ingesterDir, {
      lockfilePath: layout.leasePath,
      realpath: false,
      stale: LEASE_STALE_MS,
    });
  } catch {
    return false; // no directory yet, or it can not be read: nobody leads that we can see
  }
}
