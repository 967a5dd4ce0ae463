/**
 * Puts `memspool rebuild` together: the lease around it, the store's own rebuild, and what the queue
 * knows of ids.
 */

import type { Events } from "../events/catalogue.ts";
import { type LeaseOptions, withLease } from "../ingest/with-lease.ts";
import { type RebuildOptions, rebuildStore } from "../memory/rebuild/rebuild.ts";
import type { RebuildResult } from "../memory/rebuild/rebuild-result.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { readAudit } from "../queue/audit-read.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { quarantinedUlid } from "../queue/layout.ts";
import { LedgerReader, ledgerNames } from "../queue/ledger-read.ts";
import { quarantineEntry, quarantineNames } from "../queue/quarantine-list.ts";
import { SqliteRebuild } from "../store/sqlite/rebuild-sqlite.ts";

export interface RunRebuildParts {
  readonly layout: QueueLayout;
  readonly storeFile: string;
  readonly clock: Clock;
  readonly events: Events;
  readonly fs: DurableFsSync;
  /** For what is read beside the records. */
  readonly readFs: DurableFs;
}

export type RunRebuildOptions = RebuildOptions & Pick<LeaseOptions, "waitMs" | "onWaiting">;

/** @throws MemspoolError LEASE_HELD and what rebuildStore throws */
export async function runRebuild(
  parts: RunRebuildParts,
  options: RunRebuildOptions,
): Promise<RebuildResult> {
  const { layout, storeFile: file, clock, events, fs, readFs } = parts;
  return withLease(parts, options, (lease) =>
    rebuildStore(
      {
        layout,
        clock,
        events,
        fs,
        openRebuild: () => SqliteRebuild.open({ file, fs, clock }),
        requireLease: () => lease.requireHeld(),
        capturedIds: () => capturedIds(fs, layout),
        excusedIds: idsElsewhere(readFs, layout),
      },
      options,
    ),
  );
}

/** Chunk by chunk. */
async function* capturedIds(fs: DurableFsSync, layout: QueueLayout): AsyncGenerator<string[]> {
  for (const name of ledgerNames(fs, layout)) {
    let ulids: string[] = [];
    const note = (bytes: Buffer, at: number) => {
      ulids.push(bytes.toString("latin1", at, at + ULID_CHARS));
    };
    for (const _chunk of new LedgerReader(fs, layout, name).read(note)) {
      yield ulids;
      ulids = [];
    }
  }
}

const ULID_CHARS = 26;

/** Quarantine and audit log are read when first asked. */
function idsElsewhere(fs: DurableFs, layout: QueueLayout) {
  let elsewhere: Promise<ReadonlySet<string>> | undefined;
  return (): Promise<ReadonlySet<string>> => {
    elsewhere ??= readElsewhere(fs, layout);
    return elsewhere;
  };
}

async function readElsewhere(fs: DurableFs, layout: QueueLayout): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const name of await quarantineNames(fs, layout)) {
    // A second text under an id says nothing of where the first one is.
    const code = (await quarantineEntry(fs, layout, name))?.code;
    if (code !== "ULID_CONFLICT") ids.add(quarantinedUlid(name) ?? "");
  }
  await readAudit(fs, layout, {
    onLine: (line) => {
      if (line.disposition === "dropped") ids.add(line.dropped_ulid);
    },
  });
  return ids;
}
