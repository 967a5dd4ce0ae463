/** Keeps a data directory closed in which a restore was cut short between its last steps. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MemspoolError } from "../errors.ts";
import { UNFINISHED_NAME } from "../memory/backup/unfinished-name.ts";

/** @throws MemspoolError DATA_DIR_UNUSABLE */
export function refuseHalfRestored(home: string): void {
  if (!existsSync(join(home, UNFINISHED_NAME))) return;
  throw new MemspoolError(
    "DATA_DIR_UNUSABLE",
    `A restore into ${home} was cut short, so only a part of the backup is in its place. Run the ` +
      "same `memspool restore` again: it finishes. Nothing is lost.",
    { details: { path: home } },
  );
}
