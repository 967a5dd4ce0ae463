/**
 * Which files are transcripts: where the clients keep theirs, and what lies in a directory.
 *
 * Guarantees: symlinks inside a directory are not followed, so that no walk goes in circles or out of
 * the place that was named. Files come oldest change first: a session before one that was copied from
 * it. What vanishes or can not be listed is told and never ends the walk. Changes nothing on disk.
 */
import { lstat, readdir, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MemspoolError } from "../../../errors.ts";
import { errnoOf, isErrno } from "../../../platform/errno.ts";
import type { PlaceNote, TranscriptFile } from "./import-job.ts";
import type { Client } from "./line-verdict.ts";

export interface TranscriptRoot {
  readonly path: string;
  readonly client: Client | undefined;
  /** A default place that is not there is no mistake of anybody's. */
  readonly isDefault: boolean;
}

export interface FoundTranscripts {
  readonly files: readonly TranscriptFile[];
  readonly failed: readonly PlaceNote[];
}

const DEPTH_MAX = 16;

/**
 * Where the clients keep their transcripts.
 * @param home of the user, absolute
 */
export function defaultRoots(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
  client?: Client | undefined,
): TranscriptRoot[] {
  const claude = env.CLAUDE_CONFIG_DIR
    ? [env.CLAUDE_CONFIG_DIR]
    : [join(home, ".claude"), join(env.XDG_CONFIG_HOME || join(home, ".config"), "claude")];
  const codex = env.CODEX_HOME || join(home, ".codex");
  const roots: TranscriptRoot[] = [
    ...claude.map((directory) => root(join(directory, "projects"), "claude-code")),
    root(join(codex, "sessions"), "codex"),
    root(join(codex, "archived_sessions"), "codex"),
  ];
  return roots.filter((each) => client === undefined || each.client === client);
}

function root(path: string, client: Client): TranscriptRoot {
  return { path: resolve(path), client, isDefault: true };
}

/** @throws MemspoolError INVALID_ARGUMENT for a place that was named and is not there */
export async function findTranscripts(roots: readonly TranscriptRoot[]): Promise<FoundTranscripts> {
  const found = new Map<string, TranscriptFile & { readonly changedMs: number }>();
  const failed: PlaceNote[] = [];
  for (const { path, client, isDefault } of roots) {
    let start: string;
    try {
      start = await realpath(path);
    } catch (error) {
      if (isDefault && isErrno(error, "ENOENT", "ENOTDIR")) continue;
      throw unreadable(path, error);
    }
    await walk(start, 0);

    async function walk(at: string, depth: number): Promise<void> {
      try {
        const facts = await lstat(at);
        if (facts.isFile()) {
          if (depth > 0 && !at.endsWith(".jsonl")) return;
          found.set(at, { path: at, client, bytes: facts.size, changedMs: facts.mtimeMs });
        } else if (facts.isDirectory()) {
          if (depth > DEPTH_MAX) throw Object.assign(new Error("too deep"), { code: "ELOOP" });
          for (const name of (await readdir(at)).sort()) await walk(join(at, name), depth + 1);
        } else if (depth === 0) {
          failed.push({ file: at, reason: "is neither a file nor a directory" });
        }
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === undefined) throw error;
        failed.push({ file: at, reason: `can not be read (${errno})` });
      }
    }
  }
  const files = [...found.values()].sort(
    (one, other) => one.changedMs - other.changedMs || (one.path < other.path ? -1 : 1),
  );
  return { files: files.map(({ path, client, bytes }) => ({ path, client, bytes })), failed };
}

function unreadable(path: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  return new MemspoolError(
    "INVALID_ARGUMENT",
    `${path} can not be read (${errno}). Check its name.`,
    { details: { path, errno }, cause: error },
  );
}
