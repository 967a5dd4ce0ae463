/**
 * Damaged envelopes and damaged segments, many at once, through the ingester itself.
 *
 * Each damage is done to a file of its own, beside whole ones; then the queue is drained. What the
 * store holds afterwards must be what was written, and a damaged file must lie in quarantine, or
 * where a newer program may read it, in the very bytes in which it was found.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nodeDurableFsSync as fs } from "../../src/platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { encodeSegment, segmentPath } from "../../src/queue/spill-segment.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import {
  type DamagePoint,
  damaged,
  damagePoints,
  emptyFindings,
  type RotFindings,
} from "./rot-damage.ts";
import { type MadeEnvelope, madeEnvelope, shown } from "./rot-records.ts";
import { segmentNameOf } from "./rot-subjects.ts";

/** A file as it was found, and what of it was written. */
interface Rotten {
  readonly where: string;
  readonly name: string;
  readonly bytes: Buffer;
  readonly envelopes: readonly MadeEnvelope[];
  readonly isWhole: boolean;
}

export interface IngestedRot extends RotFindings {
  /** Records of whole files between the damaged ones that arrived. */
  whole: number;
}

const WHOLE_EVERY = 20;
const SEGMENT_RECORDS = 3;

/** @param stride positions from one damaged envelope to the next */
export async function rotOfPending(flips: number, stride: number): Promise<IngestedRot> {
  const bench = freshBench();
  const { length } = madeEnvelope(1).bytes;
  const files = rottenFiles(damagePoints(length, flips, stride), 1, (n) => {
    const made = madeEnvelope(n);
    return { name: `pending-${made.ulid}.json`, bytes: made.bytes, envelopes: [made] };
  });
  for (const { envelopes, bytes } of files) {
    writeFileSync(pendingPath(bench.layout, envelopes[0]?.ulid ?? ""), bytes);
  }
  return judgeDrained(bench, files);
}

/** @param stride positions from one damaged segment to the next */
export async function rotOfSegments(flips: number, stride: number): Promise<IngestedRot> {
  const bench = freshBench();
  const segmentOf = (n: number) => {
    const envelopes = Array.from({ length: SEGMENT_RECORDS }, (_, index) =>
      madeEnvelope(n + index),
    );
    const bytes = encodeSegment(envelopes.map((made) => made.bytes));
    return { name: segmentNameOf(envelopes), bytes, envelopes };
  };
  const { length } = segmentOf(1).bytes;
  const files = rottenFiles(damagePoints(length, flips, stride), SEGMENT_RECORDS, segmentOf);
  for (const { name, bytes } of files) writeFileSync(segmentPath(bench.layout, name), bytes);
  return judgeDrained(bench, files);
}

/** A file for each damage, with ids of its own. */
function rottenFiles(
  points: Iterable<DamagePoint>,
  recordsEach: number,
  make: (n: number) => { name: string; bytes: Buffer; envelopes: readonly MadeEnvelope[] },
): Rotten[] {
  const files: Rotten[] = [];
  for (const point of points) {
    const made = make(100_000 + files.length * recordsEach);
    const isWhole = files.length % WHOLE_EVERY === 0;
    const bytes = isWhole ? made.bytes : damaged(made.bytes, point);
    const where = `${made.name}: ${isWhole ? "whole" : `${point.kind} at ${point.at}`}`;
    if (bytes) files.push({ ...made, where, bytes, isWhole });
  }
  return files;
}

async function judgeDrained(bench: IngestBench, files: readonly Rotten[]): Promise<IngestedRot> {
  const findings: IngestedRot = { ...emptyFindings(), whole: 0 };
  const ingester = bench.ingester({ attemptsMax: 1 });
  await ingester.drain({ dueOrNot: true }).catch((error: unknown) => {
    findings.crashed.push(`the drain: ${String(error)}`);
  });
  const { layout, store } = bench;
  const kept = new Map<string, Buffer>();
  for (const dir of [layout.dir, layout.overflowDir, layout.quarantineDir]) {
    for (const name of readdirSync(dir)) {
      if (/\.(?:json|gz)$/.test(name)) kept.set(name, readFileSync(join(dir, name)));
    }
  }
  for (const { where, name, bytes, envelopes, isWhole } of files) {
    if (!isWhole) findings.tried++;
    for (const { ulid, content } of envelopes) {
      const row = store.rows.get(ulid);
      if (row && shown(row) !== content) findings.altered.push(where);
      if (row && isWhole) findings.whole++;
      if (!row && (isWhole || !kept.get(name)?.equals(bytes))) findings.lost.push(where);
    }
  }
  const written = new Set(files.flatMap(({ envelopes }) => envelopes.map(({ ulid }) => ulid)));
  for (const ulid of store.rows.keys()) {
    if (!written.has(ulid)) findings.altered.push(`${ulid} was never written`);
  }
  const all = store.tried.flat();
  if (new Set(all).size < all.length) findings.twice.push("an id was committed twice");
  return findings;
}

function freshBench(): IngestBench {
  const bench = new IngestBench();
  ensureQueueDirectories(fs, bench.layout);
  return bench;
}
