/**
 * Reads envelopes from the client's thread, without blocking it: for get, receipt and search.
 *
 * Guarantees: verified as the ingester would; one that is at fault counts as not there, because the
 * ingester will say what is wrong with it. Changes nothing on disk.
 */
import { join } from "node:path";
import { MemspoolError } from "../errors.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import { decodeEnvelope, type Envelope } from "../record/envelope.ts";
import { ENVELOPE_BYTES_MAX } from "../record/limits.ts";
import { pendingPath, type QueueLayout, quarantinedUlid } from "./layout.ts";

/** @throws system errors other than "not there" and "no regular file" */
export async function readPending(
  fs: DurableFs,
  layout: QueueLayout,
  ulid: string,
): Promise<Envelope | undefined> {
  return readAt(fs, pendingPath(layout, ulid), ulid);
}

/** The first whole envelope of the id in quarantine. */
export async function readQuarantined(
  fs: DurableFs,
  layout: QueueLayout,
  ulid: string,
): Promise<Envelope | undefined> {
  for (const file of await quarantinedFiles(fs, layout, ulid)) {
    const envelope = await readAt(fs, join(layout.quarantineDir, file), ulid);
    if (envelope) return envelope;
  }
  return undefined;
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

async function readAt(fs: DurableFs, path: string, ulid: string): Promise<Envelope | undefined> {
  try {
    const facts = await fs.facts(path);
    if (facts.kind !== "file" || facts.bytes > ENVELOPE_BYTES_MAX) return undefined;
    return decodeEnvelope(await fs.read(path), ulid);
  } catch (error) {
    if (error instanceof MemspoolError || isErrno(error, "ENOENT", "ELOOP", "EISDIR")) {
      return undefined;
    }
    throw error;
  }
}
