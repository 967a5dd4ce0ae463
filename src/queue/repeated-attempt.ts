/** What may be said of a capture that was tried before, when it fails this time. */
import { MemspoolError } from "../errors.ts";

/**
 * What went wrong before anything was written says nothing of the attempt that is repeated: that one
 * may be there. Who heard "no" would capture the text again, under a second id.
 *
 * @param ulid of the attempt that is repeated; undefined for a first one
 */
export function ofRepeat(error: unknown, ulid: string | undefined): unknown {
  if (ulid === undefined) return error;
  if (!(error instanceof MemspoolError) || error.details.stored !== "no") return error;
  if (error.code === "ULID_CONFLICT") return error; // another text has the id: this one never had it
  const { code, message, details, cause } = error;
  return new MemspoolError(
    code,
    `${message} An earlier attempt may be stored: repeat it with retry_ulid ${ulid}.`,
    { details: { ...details, ulid, stored: "unknown" }, cause },
  );
}
