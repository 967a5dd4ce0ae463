/** A data directory with records in every place that a backup covers, and what lies in it. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { restoreLock } from "../../src/app/restore-lock.ts";
import { type BackupParts, backUp } from "../../src/memory/backup/backup.ts";
import { type RestoreParts, restore } from "../../src/memory/backup/restore.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { RecordedEvents } from "./recorded-events.ts";

/** Texts that a careless copy or text column would change. */
export const ODD_TEXTS = [
  "plain",
  "",
  " \t\r\n",
  "nul \u0000 inside",
  "lone \ud800 and \udfff surrogates",
  "e\u0301 and \u00e9, 東京, 🜁\u200d🜂",
  '"quoted" \\ and {"json": true}\n'.repeat(50),
];

export function partsFor(home: string, changes: Partial<BackupParts & RestoreParts> = {}) {
  const events = new RecordedEvents();
  return {
    fs: nodeDurableFs,
    fsSync: nodeDurableFsSync,
    layout: queueLayout(join(home, "queue")),
    storeFile: join(home, "store", "memspool.db"),
    home,
    clock: systemClock as Clock,
    version: "0.0.0-test",
    holdLease: (act) => act({ requireHeld: () => {} }),
    holdHome: restoreLock(home),
    ...changes,
    events,
  } satisfies BackupParts & RestoreParts;
}

export { backUp, restore };

/** Every file below a directory, by its path from there. */
export function filesBelow(directory: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const path = join(directory, name);
    if (statSync(path).isFile()) found.set(relative(directory, path), readFileSync(path));
  }
  return found;
}
