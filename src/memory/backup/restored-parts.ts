/**
 * The last step of a restore: the staged queue and store take the places of the present ones.
 *
 * Several renames can not be one, so a note `restore-unfinished.json` in the data directory says
 * what is to be done before the first and goes after the last. While it is there, app.ts opens
 * nothing in that data directory: half of a backup looks like a whole one. Whoever restores next
 * finishes the step first.
 *
 *   note, synced → for store, then queue: present one aside, staged one in → synced → note removed
 *
 * Guarantees: each state between can be finished by {@link finishSwap}, any number of times; what
 * lay there before is moved to `before-restore-<time>` and never deleted.
 */
import { basename, join } from "node:path";
import { z } from "zod";
import { MemspoolError } from "../../errors.ts";
import { type DurableFs, writeWhole } from "../../platform/durable-fs.ts";
import {
  type DurableFsSync,
  factsIfThere,
  syncDirectorySync,
  unlinkIfThere,
} from "../../platform/durable-fs-sync.ts";
import { isErrno } from "../../platform/errno.ts";
import { removeTree } from "./remove-tree.ts";
import { UNFINISHED_NAME } from "./unfinished-name.ts";

const STAGING = /^\.restore-[0-9a-f]{12}$/;
const ASIDE = /^before-restore-[0-9TZ]+$/;
const PARTS = ["store", "queue"] as const;
/** Names tried for what has to step aside. */
const SAME_NAME_MAX = 1_000;

const noteSchema = z.object({
  /** Names in the data directory. */
  staging: z.string().regex(STAGING),
  aside: z.string().regex(ASIDE),
  /** Of the manifest that is being restored. */
  checksum: z.string(),
});

export type SwapNote = Readonly<z.infer<typeof noteSchema>>;

/** @throws MemspoolError DATA_DIR_UNUSABLE if it is there and says nothing */
export async function readSwapNote(fs: DurableFs, home: string): Promise<SwapNote | undefined> {
  const path = join(home, UNFINISHED_NAME);
  try {
    return noteSchema.parse(JSON.parse((await fs.read(path)).toString("utf8")));
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw new MemspoolError(
      "DATA_DIR_UNUSABLE",
      `${path} can not be read. A restore was cut short: look for queue and store in .restore-* and ` +
        "before-restore-* beside it, bring back what you want, and remove the note.",
      { details: { path }, cause: error },
    );
  }
}

/** From here on the step is finished, by this process or by the next restore. */
export async function writeSwapNote(
  fs: DurableFs,
  fsSync: DurableFsSync,
  home: string,
  note: SwapNote,
): Promise<void> {
  const staged = join(home, note.staging, UNFINISHED_NAME);
  await writeWhole(fs, staged, Buffer.from(JSON.stringify(note)));
  // Crash here: nothing has changed; the staging directory is swept by the next restore.
  fsSync.rename(staged, join(home, UNFINISHED_NAME));
  syncDirectorySync(fsSync, home);
}

/**
 * @returns the name of the directory with what lay there before, if anything did
 * @throws the system error of a rename: run again, it goes on there
 */
export function finishSwap(fs: DurableFsSync, home: string, note: SwapNote): string | undefined {
  const aside = join(home, note.aside);
  for (const part of PARTS) {
    const staged = join(home, note.staging, part);
    const live = join(home, part);
    if (factsIfThere(fs, staged) === undefined) continue; // it is in its place already
    if (factsIfThere(fs, live) !== undefined) stepAside(fs, live, aside, part);
    // Crash here: nothing has this name, and the note says why.
    fs.rename(staged, live);
    syncDirectorySync(fs, home);
  }
  const movedAside = factsIfThere(fs, aside) === undefined ? undefined : note.aside;
  unlinkIfThere(fs, join(home, UNFINISHED_NAME));
  syncDirectorySync(fs, home);
  removeTree(fs, join(home, note.staging));
  return movedAside;
}

/** Staging directories of restores that came to nothing. */
export function sweepStaging(fs: DurableFsSync, home: string): void {
  for (const name of fs.names(home)) if (STAGING.test(name)) removeTree(fs, join(home, name));
}

function stepAside(fs: DurableFsSync, live: string, aside: string, part: string): void {
  if (factsIfThere(fs, aside) === undefined) fs.makeDirectory(aside);
  for (let number = 1; number <= SAME_NAME_MAX; number++) {
    const to = join(aside, number === 1 ? part : `${part}.${number}`);
    if (factsIfThere(fs, to) !== undefined) continue;
    fs.rename(live, to);
    syncDirectorySync(fs, aside);
    return;
  }
  throw new Error(`${basename(aside)} holds ${SAME_NAME_MAX} of the same name`);
}
