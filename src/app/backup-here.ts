/** `memspool backup` and `memspool restore` with the parts of this process. */
import { dataPaths } from "../config/data-paths.ts";
import type { Config } from "../config/settings.ts";
import type { Events } from "../events/catalogue.ts";
import { withLease } from "../ingest/with-lease.ts";
import { type BackupOptions, type BackupResult, backUp } from "../memory/backup/backup.ts";
import { type RestoreOptions, type RestoreResult, restore } from "../memory/backup/restore.ts";
import { systemClock } from "../platform/clock.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import { nodeDurableFsSync } from "../platform/durable-fs-sync.ts";
import { queueLayout } from "../queue/layout.ts";
import { restoreLock } from "./restore-lock.ts";

export type { BackupOptions, BackupResult } from "../memory/backup/backup.ts";
export type { RestoreOptions, RestoreResult } from "../memory/backup/restore.ts";

/** @throws as backUp */
export async function backUpHere(
  config: Config,
  events: Events,
  target: string,
  options: BackupOptions,
): Promise<BackupResult> {
  return backUp({ ...partsOf(config), events, version: MEMSPOOL_VERSION }, target, options);
}

/** @throws as restore */
export async function restoreHere(
  config: Config,
  backup: string,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const parts = partsOf(config);
  const { layout, clock, fsSync: fs } = parts;
  const { signal } = options;
  return restore(
    {
      ...parts,
      holdLease: (act) => withLease({ layout, clock, fs }, { signal }, act),
      holdHome: restoreLock(parts.home, { signal }),
    },
    backup,
    options,
  );
}

function partsOf(config: Config) {
  const { home, queueDir, storeFile } = dataPaths(config.home);
  return {
    fs: nodeDurableFs,
    fsSync: nodeDurableFsSync,
    layout: queueLayout(queueDir),
    storeFile,
    home,
    clock: systemClock,
  };
}
