/** Readers that are too trusting, or too silent: the rig must catch each of them. */
import { inflateRawSync } from "node:zlib";
import type { Reading, RotSubject } from "./rot-damage.ts";
import { auditLog, doneFile, pendingEnvelope, reasonFile } from "./rot-subjects.ts";

export interface RotControl {
  readonly name: string;
  /** What it must be caught at. */
  readonly caughtAt: "altered" | "lost";
  readonly subject: () => RotSubject;
}

/** Parts of a member in front of and behind its compressed data. */
const MEMBER_HEAD_BYTES = 32;
const MEMBER_TAIL_BYTES = 8;
const LENGTH_AT = 20;

function readBy(subject: RotSubject, read: (bytes: Buffer) => Reading): RotSubject {
  return { ...subject, read };
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined; // at least that much is noticed
  }
}

function trusted(line: string): string | undefined {
  const envelope = parsed(line);
  if (!envelope) return undefined;
  const { ulid, appended_at, record, sha256 } = envelope;
  return JSON.stringify([ulid, appended_at, JSON.stringify(record), sha256]);
}

function readingOf(texts: readonly (string | undefined)[], isSilent = false): Reading {
  const accepted = texts.filter((text) => text !== undefined);
  return { accepted, noticed: !isSilent && accepted.length < texts.length };
}

/** Members by the lengths they say, until one does not inflate; no CRC is looked at. */
function linesOfMembers(file: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 0; at + MEMBER_HEAD_BYTES < file.length; ) {
    const bytes = file.readUInt32LE(at + LENGTH_AT);
    try {
      const data = file.subarray(at + MEMBER_HEAD_BYTES, at + bytes - MEMBER_TAIL_BYTES);
      lines.push(...inflateRawSync(data).toString("utf8").split("\n").slice(0, -1));
    } catch {
      break;
    }
    at += Math.max(bytes, 1);
  }
  return lines;
}

function linesOf(bytes: Buffer): string[] {
  return bytes
    .toString("utf8")
    .split("\n")
    .filter((text) => text !== "");
}

export const ROT_CONTROLS: readonly RotControl[] = [
  {
    name: "an envelope's checksum is not looked at",
    caughtAt: "altered",
    subject: () =>
      readBy(pendingEnvelope(0), (bytes) => readingOf([trusted(bytes.toString("utf8"))])),
  },
  {
    name: "a done file's checksums are not looked at",
    caughtAt: "altered",
    subject: () => readBy(doneFile(1, 0), (bytes) => readingOf(linesOfMembers(bytes).map(trusted))),
  },
  {
    name: "a done file is read up to the damage, in silence",
    caughtAt: "lost",
    subject: () =>
      readBy(doneFile(1, 0), (bytes) => readingOf(linesOfMembers(bytes).map(trusted), true)),
  },
  {
    name: "an audit line's checksum is not looked at",
    caughtAt: "altered",
    subject: () => {
      const log = auditLog(1);
      const current = { ...log, content: log.content.slice(-1) };
      return readBy(current, (bytes) =>
        readingOf(linesOf(bytes).map((line) => parsed(line) && line.replace(/,"crc32".*/, "}"))),
      );
    },
  },
  {
    name: "a reason's checksum is not looked at",
    caughtAt: "altered",
    subject: () =>
      readBy(reasonFile(), (bytes) => {
        const { code, message, attempts, quarantined_at } = parsed(bytes.toString("utf8")) ?? {};
        const said = [code, message, attempts, quarantined_at];
        return readingOf([said.includes(undefined) ? undefined : JSON.stringify(said)]);
      }),
  },
];
