/**
 * Records with marks in every field, brought to every place where a record can lie, and a look for the
 * marks in every byte of the data directory.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, inflateRawSync } from "node:zlib";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { MEMBER_PREFIX_BYTES, MEMBER_SIGNATURE } from "../../src/queue/archive-member.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { quarantine } from "../../src/queue/quarantine.ts";
import { encodeSegment, newSegmentName, segmentPath } from "../../src/queue/spill-segment.ts";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import type { IngestBench } from "./ingest-bench.ts";

/** Letters that come from nowhere else, in each field and in the forms that strings take on disk. */
export function marked(mark: string): MemoryRecord {
  return {
    surface: `${mark}surface \u00e9 "${mark}quoted" ${mark}\u0000zero\ud800`,
    cue: `${mark}cue`,
    tags: [`${mark}tag`],
    metadata: { [`${mark}name`]: [`${mark}value`] },
    session_id: `${mark}session`,
    source: `${mark}source`,
    project: `${mark}project`,
    idempotency_key: `${mark}key`,
  };
}

/** Files below the directory that hold the mark, plainly or in what can be unpacked of them. */
export function filesWith(directory: string, mark: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (path.includes(mark)) found.push(path);
    if (!entry.isFile()) continue;
    const bytes = readFileSync(path);
    if (bytes.includes(mark) || unpacked(bytes).includes(mark)) found.push(path);
  }
  return found;
}

/** Of every member of the file, whole or torn, as much as unpacks. */
function unpacked(bytes: Buffer): Buffer {
  const texts: Buffer[] = [];
  for (let at = bytes.indexOf(MEMBER_SIGNATURE); at !== -1; ) {
    const next = bytes.indexOf(MEMBER_SIGNATURE, at + 1);
    const data = bytes.subarray(at + MEMBER_PREFIX_BYTES, next === -1 ? bytes.length : next);
    for (const end of [data.length, data.length - 8, Math.floor(data.length / 2)]) {
      try {
        texts.push(inflateRawSync(data.subarray(0, end), { finishFlush: constants.Z_SYNC_FLUSH }));
        break;
      } catch {
        // damaged further in front, or a trailer that is no data: less of it
      }
    }
    at = next;
  }
  return Buffer.concat(texts);
}

/** Moves pending records into one segment, as a full queue does. @returns its name */
export function spill(bench: IngestBench, ...ulids: string[]): string {
  const { layout } = bench;
  const [first = "", last = first] = [ulids[0], ulids.at(-1)];
  const name = newSegmentName(first, last, ulids.length);
  mkdirSync(layout.overflowDir, { recursive: true });
  writeFileSync(segmentPath(layout, name), encodeSegment(ulids.map((ulid) => bench.bytesOf(ulid))));
  for (const ulid of ulids) nodeDurableFsSync.unlink(pendingPath(layout, ulid));
  return name;
}

export function setAside({ layout, clock }: IngestBench, ulid: string): void {
  const reason = { code: "STORE_REFUSED", message: "The store refused it.", attempts: 3 } as const;
  quarantine({ fs: nodeDurableFsSync, layout, clock }, ulid, reason);
}
