/**
 * Reads a pending envelope and proves it whole.
 *
 * Guarantees: returns a verified envelope, or undefined when the record has moved on meanwhile.
 * Never follows a symlink, never waits on a FIFO, never reads more than an envelope can hold.
 */
import { MemspoolError } from "../errors.ts";
import { type DurableFsSync, readBytes } from "../platform/durable-fs-sync.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import { decodeEnvelope, type Envelope } from "../record/envelope.ts";
import { ENVELOPE_BYTES_MAX } from "../record/limits.ts";

export interface ReadEnvelope extends Envelope {
  /** The file's bytes, for the done archive. */
  readonly bytes: Buffer;
}

/**
 * @throws MemspoolError with an ENVELOPE_… code or CaptureQueueSchemaError: the file is at fault;
 *   a system error: the reading is (EIO, EMFILE, EACCES), try again later
 */
export function readEnvelope(
  fs: DurableFsSync,
  path: string,
  ulid: string,
): ReadEnvelope | undefined {
  const bytes = readWhole(fs, path, ulid);
  return bytes && { ...decodeEnvelope(bytes, ulid), bytes };
}

function readWhole(fs: DurableFsSync, path: string, ulid: string): Buffer | undefined {
  let fd: number;
  try {
    fd = fs.openRead(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    if (isErrno(error, "ELOOP", "EISDIR", "ENXIO", "ENODEV")) {
      throw unreadable(ulid, `it is no regular file (${errnoOf(error)})`);
    }
    throw error;
  }
  try {
    const facts = fs.factsOfDescriptor(fd);
    if (facts.kind !== "file") throw unreadable(ulid, `it is a ${facts.kind}, not a regular file`);
    if (facts.bytes > ENVELOPE_BYTES_MAX) {
      throw unreadable(ulid, `it has ${facts.bytes} bytes, the limit is ${ENVELOPE_BYTES_MAX}`);
    }
    return readBytes(fs, fd, facts.bytes, 0); // cut while we read it: the checksum will say so
  } finally {
    fs.close(fd);
  }
}

function unreadable(ulid: string, why: string): MemspoolError {
  return new MemspoolError(
    "ENVELOPE_UNREADABLE",
    `pending-${ulid}.json can not be an envelope: ${why}. It will be quarantined.`,
    { details: { ulid } },
  );
}
