/**
 * Keeps restores of one data directory apart: two at once would sweep away each other's copies.
 *
 * Guarantees: the work begins only with the lock in hand, and it is given back however that ends; one
 * whose holder died is taken over after STALE_MS. Says so if the lock is lost meanwhile, because this
 * process stood still. Has no say over servers: for those there is the ingester's lease.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { lock } from "proper-lockfile";
import { MemspoolError } from "../errors.ts";
import type { HoldLease } from "../memory/backup/restore.ts";
import { isErrno } from "../platform/errno.ts";

/** A directory in the data directory while a restore runs. */
export const RESTORE_LOCK_NAME = "restore.lock";

const STALE_MS = 8_000;
const UPDATE_MS = 2_000;
/** A dead restore's lock is stale by then. */
const WAIT_MS = STALE_MS + 2 * UPDATE_MS;
const TRY_INTERVAL_MS = 250;

export interface RestoreLockOptions {
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * @param home the data directory, which is there
 * @returns a function that throws LEASE_HELD if another restore keeps the lock, and system errors
 */
export function restoreLock(home: string, options: RestoreLockOptions = {}): HoldLease {
  return async (act) => {
    let isLost = false;
    const release = await untilLocked(home, options, () => {
      isLost = true;
    });
    try {
      return await act({
        requireHeld: () => {
          if (isLost) throw anotherRestores(home);
        },
      });
    } finally {
      await release().catch(() => {}); // lost meanwhile, or gone with its directory
    }
  };
}

async function untilLocked(
  home: string,
  { waitMs = WAIT_MS, signal }: RestoreLockOptions,
  onCompromised: () => void,
): Promise<() => Promise<void>> {
  for (let leftMs = waitMs; ; leftMs -= TRY_INTERVAL_MS) {
    try {
      return await lock(home, {
        lockfilePath: join(home, RESTORE_LOCK_NAME),
        realpath: false,
        stale: STALE_MS,
        update: UPDATE_MS,
        retries: 0,
        onCompromised,
      });
    } catch (error) {
      if (!isErrno(error, "ELOCKED")) throw error;
      if (leftMs <= 0) throw anotherRestores(home);
    }
    await delay(TRY_INTERVAL_MS, undefined, { ...(signal && { signal }) });
  }
}

function anotherRestores(home: string): MemspoolError {
  const path = join(home, RESTORE_LOCK_NAME);
  return new MemspoolError(
    "LEASE_HELD",
    `Another restore into ${home} is under way. Wait for its end; if there is none, remove ${path}.`,
    { details: { path } },
  );
}
