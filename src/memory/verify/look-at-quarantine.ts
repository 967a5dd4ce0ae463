/**
 * The quarantine: envelopes that were set aside, and damaged segments of spilled records.
 *
 * What lies here is kept because something is wrong with it: a fault is noted and is no problem of its
 * own, unless the reason says that it was another one, such as a conflict.
 */
import { join } from "node:path";
import { MemspoolError } from "../../errors.ts";
import { readRegularFile } from "../../platform/durable-fs-sync.ts";
import { isErrno } from "../../platform/errno.ts";
import { decodeMembers, lineUlid } from "../../queue/archive-member.ts";
import { quarantinedUlid } from "../../queue/layout.ts";
import { reasonPath } from "../../queue/quarantine.ts";
import { readEnvelope } from "../../queue/read-envelope.ts";
import { decodeReason } from "../../queue/reason-file.ts";
import { SEGMENT_BYTES_MAX } from "../../queue/segment-file.ts";
import { parseSegmentName } from "../../queue/spill-segment.ts";
import type { Pass } from "./pass.ts";
import { QUARANTINED, SECOND_TEXT } from "./places.ts";

/** Far more than one has. */
const REASON_BYTES_MAX = 65_536;

export async function lookAtQuarantine(pass: Pass): Promise<void> {
  const names = quarantineNames(pass);
  for (const [n, name] of names.entries()) {
    try {
      const ulid = quarantinedUlid(name);
      if (ulid === undefined) lookAtSegment(pass, name);
      else lookAtEnvelope(pass, name, ulid);
    } catch (error) {
      pass.unreadable(name, error);
    }
    await pass.pace.worked("quarantine", n + 1, names.length);
  }
  pass.pace.finished("quarantine");
}

function quarantineNames(pass: Pass): string[] {
  const { fs, layout } = pass.parts;
  try {
    const names = fs.names(layout.quarantineDir);
    return names.filter((name) => quarantinedUlid(name) ?? parseSegmentName(name)).sort();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

function lookAtEnvelope(pass: Pass, name: string, ulid: string): void {
  const { fs, layout } = pass.parts;
  const code = reasonCode(pass, name);
  if (pass.hashes) {
    try {
      // Gone: it was sent back to the queue. Whoever looks twice finds it there.
      if (readEnvelope(fs, join(layout.quarantineDir, name), ulid) === undefined) return;
    } catch (error) {
      if (!(error instanceof MemspoolError)) throw error;
      const wasWhole = code !== undefined && !code.startsWith("ENVELOPE_");
      pass.findings.add(wasWhole ? "quarantined_changed" : "quarantined_damaged", () => name);
    }
  }
  pass.count("envelopes");
  pass.mark(ulid, code === "ULID_CONFLICT" ? SECOND_TEXT : QUARANTINED);
}

/** The code that was written when it was set aside; without one nobody can tell. */
function reasonCode(pass: Pass, name: string): string | undefined {
  const { fs, layout } = pass.parts;
  const path = reasonPath(join(layout.quarantineDir, name));
  const bytes = readRegularFile(fs, path, REASON_BYTES_MAX);
  return bytes && decodeReason(bytes)?.code;
}

/** Its good records are in the store by now, or in the queue again; what it can name, it holds. */
function lookAtSegment(pass: Pass, name: string): void {
  const { fs, layout } = pass.parts;
  const file = readRegularFile(fs, join(layout.quarantineDir, name), SEGMENT_BYTES_MAX);
  if (file === undefined) return;
  pass.findings.add("quarantined_damaged", () => name);
  for (const { lines } of decodeMembers(file, () => {})) {
    for (const line of lines) {
      pass.count("envelopes");
      pass.mark(lineUlid(line) ?? "", QUARANTINED);
    }
  }
}
