/** A data directory of one MiB of quota, filled by an archive file that nothing trims. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeEnvelope } from "../../src/record/envelope.ts";
import { freshDirectory } from "./fresh-directory.ts";
import { KIB } from "./gate-scene.ts";

/** Of an hour to come: only files of hours that are over may be trimmed. */
const FILLER = "20990101-00-aaaaaaaaaaaa.ndjson.gz";

export class FilledSpool {
  readonly home = join(freshDirectory(), "home");
  /** Nothing drains, so that what was acknowledged stays where it is looked for. */
  readonly env: Readonly<Record<string, string>> = {
    MEMSPOOL_SPOOL_QUOTA_MB: "1",
    MEMSPOOL_INGEST_ENABLED: "false",
  };

  /** Soft begins above 921.6 KiB, hard at 1,024. */
  fill(kib: number): void {
    const doneDir = join(this.home, "queue", "done");
    mkdirSync(doneDir, { recursive: true, mode: 0o700 });
    writeFileSync(join(doneDir, FILLER), Buffer.alloc(kib * KIB));
  }

  empty(): void {
    rmSync(join(this.home, "queue", "done", FILLER), { force: true });
  }

  /** Texts of what is pending, by id; each envelope is proved whole. */
  pending(): Map<string, string> {
    const dir = join(this.home, "queue");
    const names = readdirSync(dir).filter((name) => /^pending-.*\.json$/.test(name));
    return new Map(
      names.map((name) => {
        const ulid = name.slice("pending-".length, -".json".length);
        return [ulid, decodeEnvelope(readFileSync(join(dir, name)), ulid).record.surface];
      }),
    );
  }
}

/** What a tool's call came to: an id, or the reason of a refusal, or that nobody answered. */
export interface Told {
  readonly surface: string;
  readonly ulid?: string;
  readonly reason?: string;
  readonly ms: number;
}

/** Sends a capture through a client and tells what came of it. */
export async function tell(
  client: {
    callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  },
  input: { readonly surface: string; readonly priority?: string },
): Promise<Told> {
  const beganMs = performance.now();
  const { surface } = input;
  const ms = () => performance.now() - beganMs;
  try {
    const answer = (await client.callTool({ name: "memory_capture", arguments: { ...input } })) as {
      isError?: boolean;
      structuredContent: { ulid?: string; error?: { code: string; reason?: string } };
    };
    const { ulid, error } = answer.structuredContent;
    if (error === undefined && ulid !== undefined) return { surface, ulid, ms: ms() };
    return { surface, reason: error?.reason ?? error?.code ?? "nothing", ms: ms() };
  } catch {
    return { surface, reason: "unanswered", ms: ms() };
  }
}

export const countOf = (told: readonly Told[]) => {
  const counts: Record<string, number> = {};
  for (const { ulid, reason } of told) {
    const what = ulid === undefined ? (reason ?? "") : "captured";
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
};
