/**
 * Reads envelopes from the client's thread, without blocking it: for get, receipt and search.
 *
 * Guarantees: verified as the ingester would; whatever is wrong with one file is said of that file
 * and thrown at nobody, so that one bad record keeps no question from being answered. Changes
 * nothing on disk.
 */
import { join } from "node:path";
import { MemspoolError } from "../errors.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import { decodeEnvelope, type Envelope } from "../record/envelope.ts";
import { ENVELOPE_BYTES_MAX } from "../record/limits.ts";
import { pendingPath, type QueueLayout, quarantinedUlid } from "./layout.ts";

/** What lies under a name: a verified envelope, or why it is none. */
export type EnvelopeLook =
  | { readonly envelope: Envelope; readonly bytes: Buffer; readonly fault?: undefined }
  | {
      readonly envelope?: undefined;
      readonly bytes?: undefined;
      readonly fault: MemspoolError;
    };

/** undefined if nothing is there. */
export async function readPending(
  fs: DurableFs,
  layout: QueueLayout,
  ulid: string,
): Promise<EnvelopeLook | undefined> {
  return lookAtEnvelope(fs, pendingPath(layout, ulid), ulid);
}

/**
 * The first whole envelope of the id in quarantine, else the first one's fault.
 * @throws the system error of the directory
 */
export async function readQuarantined(
  fs: DurableFs,
  layout: QueueLayout,
  ulid: string,
): Promise<EnvelopeLook | undefined> {
  let first: EnvelopeLook | undefined;
  for (const file of await quarantinedFiles(fs, layout, ulid)) {
    const look = await lookAtEnvelope(fs, join(layout.quarantineDir, file), ulid);
    if (look?.envelope) return look;
    first ??= look;
  }
  return first;
}

/** Names in the quarantine that belong to the id, in order. */
export async function quarantinedFiles(
  fs: DurableFs,
  layout: QueueLayout,
  ulid: string,
): Promise<string[]> {
  const names = await fs.names(layout.quarantineDir).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return []; // no queue yet
    throw error;
  });
  return names.filter((name) => quarantinedUlid(name) === ulid).sort();
}

/** undefined if nothing is at the path. @throws what is no system error */
export async function lookAtEnvelope(
  fs: DurableFs,
  path: string,
  ulid: string,
): Promise<EnvelopeLook | undefined> {
  try {
    const facts = await fs.facts(path);
    if (facts.kind !== "file") return { fault: unreadable(ulid, `it is a ${facts.kind}`) };
    if (facts.bytes > ENVELOPE_BYTES_MAX) {
      return { fault: unreadable(ulid, `it is larger than ${ENVELOPE_BYTES_MAX} bytes`) };
    }
    const bytes = await fs.read(path);
    return { envelope: decodeEnvelope(bytes, ulid), bytes };
  } catch (error) {
    if (error instanceof MemspoolError) return { fault: error };
    if (isErrno(error, "ENOENT")) return undefined;
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return { fault: unreadable(ulid, errno) };
  }
}

function unreadable(ulid: string, why: string): MemspoolError {
  return new MemspoolError(
    "ENVELOPE_UNREADABLE",
    `The record ${ulid} is there, but its file can not be read (${why}). See \`memspool doctor\`.`,
    { details: { ulid } },
  );
}
