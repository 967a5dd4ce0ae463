/**
 * What an installation or its undoing would change, worked out before anything is written.
 *
 * Guarantees: all files are read and understood before the first is written. An undoing gives a file
 * back byte for byte where a backup proves what it was: installing onto that backup must give the
 * very file that is there now. Elsewhere our part alone is taken out.
 */
import { readFile } from "node:fs/promises";
import type { Edit, EditRequest, EntryState, Target } from "./client.ts";
import { backupsOf, type ConfigFile, readConfigFile } from "./config-file.ts";

export interface PlannedChange {
  readonly part: Target["part"];
  readonly file: ConfigFile;
  readonly action: "created" | "changed" | "removed" | "unchanged";
  /** Undefined where the file goes. */
  readonly after: string | undefined;
  /** What was found of ours. */
  readonly state: EntryState;
}

export interface PlanOptions {
  readonly uninstall: boolean;
  readonly request: Omit<EditRequest, "path">;
}

/** Throws CLIENT_CONFIG_INVALID, CLIENT_CONFIG_UNUSABLE and CLIENT_ENTRY_FOREIGN. */
export async function planChange(target: Target, options: PlanOptions): Promise<PlannedChange> {
  const file = await readConfigFile(target.path);
  const request = { ...options.request, path: target.path };
  const { edit, part } = target;
  const state = edit.look(file.text, request);
  if (!options.uninstall) {
    const after = edit.install(file.text, request);
    if (after === file.text) return { part, file, state, action: "unchanged", after };
    return { part, file, state, action: file.bytes === undefined ? "created" : "changed", after };
  }
  const after = edit.uninstall(file.text, request);
  if (after === file.text) return { part, file, state, action: "unchanged", after };
  // Nothing but ours was ever in it, so it goes as it came.
  if (file.text === edit.install("", request)) {
    const former = await provedBackup(file, edit, request);
    if (former === undefined) return { part, file, state, action: "removed", after: undefined };
    return { part, file, state, action: "changed", after: former };
  }
  const former = await provedBackup(file, edit, request);
  return { part, file, state, action: "changed", after: former ?? after };
}

/** Text of the newest backup from which installing makes the file that is there. */
async function provedBackup(
  file: ConfigFile,
  edit: Edit,
  request: EditRequest,
): Promise<string | undefined> {
  for (const backup of await backupsOf(file.target)) {
    try {
      const whole = (await readFile(backup)).toString("utf8");
      if (!whole.startsWith(file.byteOrderMark)) continue;
      const text = whole.slice(file.byteOrderMark.length);
      // One that holds our entry already is of a later installation.
      if (edit.look(text, request) !== "absent") continue;
      if (edit.install(text, request) === file.text) return text;
    } catch {
      // A backup that can not be read or understood proves nothing; the next may.
    }
  }
  return undefined;
}
