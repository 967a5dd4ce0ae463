/**
 * A note of each backup that was made, in the data directory, so that whoever forgets a record hears
 * in which backups it may still be. docs/OPERATING.md, "Forgetting".
 *
 * Guarantees: a line a backup, the newest NOTE_COUNT_MAX; a note that can not be written or read
 * fails nothing. Holds paths and times.
 */
import { join } from "node:path";
import { z } from "zod";
import type { DurableFs } from "../../platform/durable-fs.ts";
import type { DurableFsSync } from "../../platform/durable-fs-sync.ts";
import { errnoOf } from "../../platform/errno.ts";

const noteSchema = z.object({
  /** ISO 8601, when it was complete. */
  at: z.iso.datetime(),
  /** Absolute path. */
  directory: z.string(),
});

export type BackupNote = z.infer<typeof noteSchema>;

const NAME = "backups.jsonl";
const NOTE_COUNT_MAX = 200;

/** Effect on disk: `backups.jsonl` is replaced. Two backups that end at once may lose a note. */
export async function noteBackup(
  fs: DurableFs,
  fsSync: DurableFsSync,
  home: string,
  note: BackupNote,
): Promise<void> {
  const notes = [...(await readBackupNotes(fs, home)), note].slice(-NOTE_COUNT_MAX);
  const lines = notes.map((one) => `${JSON.stringify(one)}\n`).join("");
  try {
    fsSync.replace(join(home, NAME), lines, "fsync");
  } catch (error) {
    // A read-only data directory can be backed up, too.
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Oldest first. */
export async function readBackupNotes(fs: DurableFs, home: string): Promise<BackupNote[]> {
  let text: string;
  try {
    text = (await fs.read(join(home, NAME))).toString("utf8");
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return [];
  }
  return text.split("\n").flatMap((line) => {
    try {
      return noteSchema.safeParse(JSON.parse(line)).data ?? [];
    } catch {
      return []; // torn, or empty
    }
  });
}
