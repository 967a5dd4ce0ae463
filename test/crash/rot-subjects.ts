/**
 * The kinds of files that hold what must not change, each written by the code that writes it and
 * read by the code that reads it.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync as fs } from "../../src/platform/durable-fs-sync.ts";
import { envelopeOnLine, readMembers } from "../../src/queue/archive-file.ts";
import { readCheckpoint, recordCheckpoint } from "../../src/queue/audit-checkpoint.ts";
import { checkpointPath } from "../../src/queue/audit-checkpoint-form.ts";
import { type AuditLine, encodeAuditLine } from "../../src/queue/audit-line.ts";
import { newestAuditLines } from "../../src/queue/audit-newest.ts";
import { auditTail, findDropped, readAudit } from "../../src/queue/audit-read.ts";
import { DoneArchive } from "../../src/queue/done-archive.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { quarantine, reasonPath } from "../../src/queue/quarantine.ts";
import { quarantineEntry } from "../../src/queue/quarantine-list.ts";
import { readEnvelope } from "../../src/queue/read-envelope.ts";
import { readSegmentFile } from "../../src/queue/segment-file.ts";
import {
  encodeSegment,
  newSegmentName,
  parseSegmentName,
  readSegment,
  segmentPath,
} from "../../src/queue/spill-segment.ts";
import {
  auditLine,
  auditUlid,
  freshAuditLayout,
  numbers,
  writeAuditFile,
} from "../support/overflow-audit-bench.ts";
import type { Reading, RotSubject } from "./rot-damage.ts";
import { type MadeEnvelope, madeEnvelope, shown } from "./rot-records.ts";

const NOWHERE: ReadonlySet<number> = new Set();

function freshQueue() {
  const layout = freshAuditLayout();
  for (const dir of [layout.quarantineDir, layout.doneDir, layout.overflowDir]) {
    mkdirSync(dir, { recursive: true });
  }
  return layout;
}

export function pendingEnvelope(fillerChars: number): RotSubject {
  const layout = freshQueue();
  const { ulid, bytes: original, content } = madeEnvelope(1, fillerChars);
  const path = pendingPath(layout, ulid);
  return {
    name: "envelope",
    original,
    content: [content],
    wholeEnds: NOWHERE,
    read: (bytes) => {
      writeFileSync(path, bytes);
      const envelope = readEnvelope(fs, path, ulid);
      return { accepted: envelope ? [shown(envelope)] : [], noticed: false };
    },
  };
}

/** Three batches. */
export function doneFile(batchCount: number, fillerChars: number): RotSubject {
  const layout = freshQueue();
  const envelopes = numbers(1, 3 * batchCount).map((n) => madeEnvelope(n, fillerChars));
  const archive = new DoneArchive(fs, layout, systemClock);
  const wholeEnds = new Set([0]);
  let path = "";
  for (const batch of [0, 1, 2]) {
    const at = batch * batchCount;
    archive.append(envelopes.slice(at, at + batchCount).map(({ bytes }) => bytes));
    path = join(layout.doneDir, readdirSync(layout.doneDir)[0] ?? "");
    wholeEnds.add(readFileSync(path).length);
  }
  archive.close();
  const original = readFileSync(path);
  return {
    name: "done file",
    original,
    content: envelopes.map(({ content }) => content),
    wholeEnds,
    read: (bytes) => {
      writeFileSync(path, bytes);
      let noticed = false;
      const accepted: string[] = [];
      const onSkipped = () => {
        noticed = true;
      };
      for (const { lines } of readMembers(fs, path, { onSkipped })) {
        for (const line of lines) {
          const envelope = envelopeOnLine(line);
          if (envelope) accepted.push(shown({ ...envelope }));
          else noticed = true;
        }
      }
      return { accepted, noticed };
    },
  };
}

/** Its name says how many records there must be; one member holds up to 16. */
export function spillSegment(count: number, fillerChars: number): RotSubject {
  const layout = freshQueue();
  const envelopes = numbers(1, count).map((n) => madeEnvelope(n, fillerChars));
  const name = segmentNameOf(envelopes);
  const path = segmentPath(layout, name);
  return {
    name: "spill segment",
    original: encodeSegment(envelopes.map(({ bytes }) => bytes)),
    content: envelopes.map(({ content }) => content),
    wholeEnds: NOWHERE,
    read: (bytes) => {
      writeFileSync(path, bytes);
      const file = readSegmentFile(fs, layout, name) ?? Buffer.alloc(0);
      const read = readSegment(file);
      const promised = parseSegmentName(name)?.count ?? 0;
      const isDamaged = read.faults.length + read.skipped.length > 0;
      return {
        accepted: read.envelopes.map(shown),
        noticed: isDamaged || read.envelopes.length < promised,
      };
    },
  };
}

export function segmentNameOf(envelopes: readonly MadeEnvelope[]): string {
  const [first, last] = [envelopes[0]?.ulid ?? "", envelopes.at(-1)?.ulid ?? ""];
  return newSegmentName(first, last, envelopes.length);
}

/** A backup and the current file, which is the one that rots; all ways to read them. */
export function auditLog(lines: number): RotSubject {
  const layout = freshQueue();
  writeAuditFile(`${layout.auditFile}.1`, numbers(1, 2));
  const all = numbers(1, 2 + lines);
  const mine = all.slice(2).map((n) => `${encodeAuditLine(auditLine(n))}\n`);
  const content = all.map((n) => JSON.stringify(auditLine(n)));
  return {
    name: "audit log",
    original: Buffer.from(mine.join("")),
    content,
    // Without its line feed, a last line is whole, too.
    wholeEnds: new Set(mine.flatMap((text, n) => [n * text.length, (n + 1) * text.length - 1])),
    read: async (bytes) => {
      writeFileSync(layout.auditFile, bytes);
      const accepted: string[] = [];
      const { here } = await readAudit(nodeDurableFs, layout, {
        onLine: (line) => accepted.push(JSON.stringify(line)),
      });
      const others: (AuditLine | undefined)[] = [
        ...auditTail(fs, layout, 1_000_000),
        ...((await newestAuditLines(nodeDurableFs, layout, { limit: 100 }))?.lines ?? []),
        await findDropped(nodeDurableFs, layout, auditUlid(1 + (bytes.length % all.length))),
      ];
      const agree = others.every(
        (line) => line === undefined || accepted.includes(JSON.stringify(line)),
      );
      const counted = here.spilled + here.dropped === accepted.length;
      if (!agree || !counted) throw new Error("two readers of the audit log do not agree");
      return { accepted, noticed: here.damaged > 0 };
    },
  };
}

/**
 * The newest checkpoint and its copy, with a generation before it.
 * @param both whether the copy has the same damage
 */
export function auditCheckpoint(both: boolean): RotSubject {
  const layout = freshQueue();
  for (const n of [1, 2]) {
    writeAuditFile(`${layout.auditFile}.${n}`, numbers(10 * n, 11 * n));
    recordCheckpoint(fs, layout, `${layout.auditFile}.${n}`);
  }
  const newest = checkpointPath(layout, 2);
  const read = async (): Promise<Reading> => {
    const { checkpoint, incomplete, damaged } = await readCheckpoint(nodeDurableFs, layout);
    if (incomplete) return { accepted: [], noticed: damaged.length > 0 };
    return { accepted: [JSON.stringify(checkpoint)], noticed: damaged.length > 0 };
  };
  const original = readFileSync(newest);
  const text = original.toString("utf8");
  return {
    name: both ? "audit checkpoint and its copy" : "audit checkpoint",
    original,
    content: [`${text.slice(0, text.lastIndexOf(',"sha256":'))}}`],
    wholeEnds: NOWHERE,
    read: (bytes) => {
      writeFileSync(newest, bytes);
      if (both) writeFileSync(layout.auditCheckpointFile, bytes);
      return read();
    },
  };
}

export function reasonFile(): RotSubject {
  const layout = freshQueue();
  const { ulid, bytes } = madeEnvelope(1);
  writeFileSync(pendingPath(layout, ulid), bytes);
  const parts = { fs, layout, clock: systemClock };
  const message = "The store can not keep it: its name is “odd”.";
  const file = quarantine(parts, ulid, { code: "STORE_REFUSED", message, attempts: 3 }) ?? "";
  const path = reasonPath(join(layout.quarantineDir, file));
  const original = readFileSync(path);
  const { quarantined_at } = JSON.parse(original.toString("utf8"));
  return {
    name: "reason file",
    original,
    content: [JSON.stringify(["STORE_REFUSED", message, 3, quarantined_at])],
    wholeEnds: NOWHERE,
    read: async (damaged) => {
      writeFileSync(path, damaged);
      const entry = await quarantineEntry(nodeDurableFs, layout, file);
      if (!entry) return { accepted: [], noticed: false };
      if (entry.code === "UNKNOWN") return { accepted: [], noticed: true };
      const { code, message: said, attempts, quarantinedAt } = entry;
      return {
        accepted: [JSON.stringify([code, said, attempts, quarantinedAt])],
        noticed: false,
      };
    },
  };
}
