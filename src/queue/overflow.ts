/**
 * The bound on pending records, put together: places (room.ts), what a full queue does (prune.ts),
 * and the log that accounts for it (audit-log.ts).
 *
 * Guarantees: those of its parts. Opens no file before the queue is full.
 */
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import { AuditLog } from "./audit-log.ts";
import { Claims } from "./claim.ts";
import type { QueueLayout } from "./layout.ts";
import type { Ledger } from "./ledger.ts";
import type { MarkMemory } from "./mark-memory.ts";
import { sortNames } from "./pending-list.ts";
import { prune } from "./prune.ts";
import { type OverflowPolicy, Room } from "./room.ts";

export interface OverflowParts {
  readonly fs: DurableFs;
  readonly fsSync: DurableFsSync;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  readonly ledger: Ledger;
  readonly markMemory: MarkMemory | undefined;
  readonly maxRecords: number;
  readonly policy: OverflowPolicy;
  readonly alertsDir: string | undefined;
}

export interface Overflow {
  readonly room: Room;
  /** Idempotent. */
  close(): void;
}

export function boundQueue(parts: OverflowParts): Overflow {
  const { fs, fsSync, layout, clock, events, ledger, maxRecords, policy, alertsDir } = parts;
  const audit = new AuditLog({
    layout,
    fs: fsSync,
    clock,
    events,
    ...(alertsDir === undefined ? {} : { alertsDir }),
  });
  const claims = new Claims(fsSync, layout, clock, parts.markMemory);
  const room = new Room({
    maxRecords,
    policy,
    ledger,
    onRefused: (wanted) => events.emit("prune_failed", { errno: "", wanted }),
    list: () => listIfThere(fs, layout),
    prune: async (candidates, wanted, depth) =>
      policy === "reject"
        ? 0
        : prune(
            { fs, layout, clock, events, claims, audit },
            { policy, candidates, wanted, depth },
          ),
  });
  return {
    room,
    close: () => {
      room.close();
      audit.close();
    },
  };
}

/** A queue directory that was removed holds nobody; the append that gets a place makes it again. */
async function listIfThere(fs: DurableFs, layout: QueueLayout): Promise<readonly string[]> {
  try {
    return sortNames(await fs.names(layout.dir)).ulids;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
