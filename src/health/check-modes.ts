/**
 * Who may look into the data directory. It holds everything that was said, unencrypted.
 *
 * Guarantees: reads only; follows no symlink; looks at a bounded number of entries and says when it
 * stopped. Where the platform has no modes (Windows), only symlinks are reported.
 */
import { lstat, opendir, realpath } from "node:fs/promises";
import { join, relative } from "node:path";
import type { HealthCheck } from "../memory/memory.ts";
import { degraded, failing, ok } from "./check-result.ts";

export interface ModesInput {
  readonly home: string;
  /** Who should own everything; undefined where there are no owners. */
  readonly uid: number | undefined;
  readonly entriesMax?: number;
}

const ENTRIES_MAX = 5_000;
const DEPTH_MAX = 4;
const EXAMPLES_MAX = 3;
/** Directories that captures go through: a symlink there is refused by the queue. */
const OWN_DIRECTORIES = new Set([
  "queue",
  "store",
  "queue/quarantine",
  "queue/done",
  "queue/overflow",
  "queue/ingester",
]);

interface Findings {
  readonly open: string[];
  readonly foreign: string[];
  readonly links: string[];
  entries: number;
}

export async function checkModes(input: ModesInput): Promise<HealthCheck> {
  const name = "directory modes";
  const findings: Findings = { open: [], foreign: [], links: [], entries: 0 };
  // The data directory itself may be a symlink that its owner made; nothing below it may.
  const home = await realpathIfThere(input.home);
  if (home === undefined && (await lstatIfThere(input.home)) !== undefined) {
    return failing(
      name,
      "the data directory is a symlink to nowhere",
      "Make the directory that it leads to, or point MEMSPOOL_HOME elsewhere.",
    );
  }
  if (home === undefined) return ok(name, "no data directory yet; the first capture makes it");
  if ((await lstatIfThere(home))?.isDirectory() === false) {
    return failing(
      name,
      "the data directory's name belongs to a file",
      "Point MEMSPOOL_HOME at a directory, or at a name that is free.",
    );
  }
  const complete = await walk(home, home, 0, input, findings);
  const blocking = findings.links.filter((path) => OWN_DIRECTORIES.has(path));
  if (blocking.length > 0) {
    return failing(
      name,
      `${list(blocking)} is a symlink, which memspool does not follow`,
      "Move the real directory there, or point MEMSPOOL_HOME at where it lies.",
    );
  }
  const faults = [
    ...(findings.open.length > 0 ? [`open to other users: ${list(findings.open)}`] : []),
    ...(findings.foreign.length > 0 ? [`of another owner: ${list(findings.foreign)}`] : []),
    ...(findings.links.length > 0 ? [`symlinks: ${list(findings.links)}`] : []),
  ];
  if (faults.length > 0) {
    return degraded(name, faults.join("; "), adviceFor(findings, input.home));
  }
  const seen = `${findings.entries} entries${complete ? "" : " (the rest not looked at)"}`;
  return ok(name, `only the owner may read or write, ${seen}`);
}

/** False if a bound was met before the end. */
async function walk(
  root: string,
  path: string,
  depth: number,
  input: ModesInput,
  findings: Findings,
): Promise<boolean> {
  if (findings.entries >= (input.entriesMax ?? ENTRIES_MAX)) return false;
  findings.entries++;
  const facts = await lstatIfThere(path);
  if (facts === undefined) return true;
  const shown = relative(root, path) || ".";
  if (facts.isSymbolicLink()) {
    findings.links.push(shown);
    return true;
  }
  if (input.uid !== undefined) {
    if ((facts.mode & 0o077) !== 0) findings.open.push(shown);
    if (facts.uid !== input.uid) findings.foreign.push(shown);
  }
  if (!facts.isDirectory()) return true;
  if (depth >= DEPTH_MAX) return false;
  let complete = true;
  for await (const entry of await opendir(path)) {
    if (!(await walk(root, join(path, entry.name), depth + 1, input, findings))) complete = false;
    if (findings.entries >= (input.entriesMax ?? ENTRIES_MAX)) return false;
  }
  return complete;
}

function adviceFor(findings: Findings, home: string): string {
  const steps = [];
  if (findings.foreign.length > 0) steps.push("run memspool as one user and chown the directory");
  if (findings.open.length > 0) steps.push(`run: chmod -R go= ${JSON.stringify(home)}`);
  if (findings.links.length > 0) steps.push("remove the symlinks");
  const text = steps.join("; ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function list(paths: readonly string[]): string {
  const shown = paths.slice(0, EXAMPLES_MAX).map((path) => JSON.stringify(path));
  const more = paths.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

async function realpathIfThere(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    // ENOENT: not made yet.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function lstatIfThere(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    // ENOENT: settled or moved between listing and looking.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
