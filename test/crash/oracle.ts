/**
 * The judge of the rigs: what lies on disk and in the store, against what was acknowledged.
 *
 * Guarantees: reads files with Node alone, parses and proves envelopes by itself, and knows the
 * code under test only by its file names; a mistake shared by writer and reader is seen here.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { decodeMembers } from "../../src/queue/archive-member.ts";
import type { CrashWorld } from "./crash-world.ts";

export interface Violation {
  readonly kind:
    | "lost"
    | "altered"
    | "twice"
    | "torn"
    | "came back"
    | "not archived"
    | "ledger"
    | "left behind"
    | "outcome"
    | "descriptor"
    | "fsync";
  readonly what: string;
}

/** What was found of each id; `undefined` stands for a file that proves nothing. */
export interface Found {
  readonly pending: ReadonlyMap<string, string | undefined>;
  readonly pendingBytes: ReadonlyMap<string, Buffer>;
  readonly spilled: ReadonlyMap<string, string>;
  /** Spill segments that are not whole. */
  readonly tornSegments: readonly string[];
  /** An id may lie there more than once. */
  readonly quarantined: ReadonlyMap<string, readonly { text: string | undefined; bytes: Buffer }[]>;
  readonly archived: ReadonlyMap<string, string>;
  readonly dropped: ReadonlySet<string>;
  readonly ledger: ReadonlySet<string>;
}

const PENDING = /^pending-([0-7][0-9A-Z]{25})\.json$/;
const QUARANTINED = /^pending-([0-7][0-9A-Z]{25})(?:\.\d+)?\.json$/;
const LEDGER_LINE = /[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export function lookAround({ layout }: CrashWorld): Found {
  const pending = new Map<string, string | undefined>();
  const pendingBytes = new Map<string, Buffer>();
  const ledger = new Set<string>();
  const dropped = new Set<string>();
  for (const name of namesIn(layout.dir)) {
    const ulid = PENDING.exec(name)?.[1];
    if (ulid !== undefined) {
      const bytes = bytesOf(join(layout.dir, name));
      pendingBytes.set(ulid, bytes);
      pending.set(ulid, provenText(bytes, ulid));
    } else if (name.startsWith(".ledger-")) {
      for (const line of linesOf(bytesOf(join(layout.dir, name)))) {
        const noted = LEDGER_LINE.exec(line)?.[0];
        if (noted !== undefined) ledger.add(noted);
      }
    } else if (name.startsWith(".overflow-audit.log")) {
      for (const id of droppedIn(bytesOf(join(layout.dir, name)))) dropped.add(id);
    }
  }
  const quarantined = new Map<string, { text: string | undefined; bytes: Buffer }[]>();
  for (const name of namesIn(layout.quarantineDir)) {
    const ulid = QUARANTINED.exec(name)?.[1];
    if (ulid === undefined) continue;
    const bytes = bytesOf(join(layout.quarantineDir, name));
    const there = quarantined.get(ulid) ?? [];
    quarantined.set(ulid, [...there, { bytes, text: provenText(bytes, ulid) }]);
  }
  const { texts: spilled, torn: tornSegments } = spilledTexts(layout.overflowDir);
  const archived = archivedTexts(layout.doneDir);
  return {
    pending,
    pendingBytes,
    spilled,
    tornSegments,
    quarantined,
    archived,
    dropped,
    ledger,
  };
}

/** Ids that are nowhere, or somewhere with another text; and rows that nobody gave in. */
export function judgeRecords(world: CrashWorld, found: Found): Violation[] {
  const { truth, store } = world;
  const violations: Violation[] = [];
  for (const [ulid, text] of truth.acknowledged) {
    const texts = [
      store.textOf(ulid),
      found.pending.get(ulid),
      found.spilled.get(ulid),
      ...(found.quarantined.get(ulid) ?? []).map((file) => file.text),
    ].filter((one) => one !== undefined);
    if (texts.length === 0 && !found.dropped.has(ulid) && !truth.damaged.has(ulid)) {
      violations.push({ kind: "lost", what: ulid });
    }
    if (texts.some((one) => one !== text)) violations.push({ kind: "altered", what: ulid });
  }
  for (const [ulid, bytes] of truth.damaged) {
    const kept = [
      found.pendingBytes.get(ulid),
      ...(found.quarantined.get(ulid) ?? []).map((file) => file.bytes),
    ];
    if (!kept.some((file) => file?.equals(bytes))) violations.push({ kind: "lost", what: ulid });
  }
  const seen = new Map<string, string>();
  for (const [ulid, { record }] of store.rows) {
    if (!truth.submitted.has(record.surface)) violations.push({ kind: "altered", what: ulid });
    const twin = seen.get(record.surface);
    if (twin !== undefined) violations.push({ kind: "twice", what: `${twin} and ${ulid}` });
    seen.set(record.surface, ulid);
  }
  for (const ulid of found.ledger) {
    const known =
      store.textOf(ulid) !== undefined ||
      store.tombstones.has(ulid) ||
      found.pending.has(ulid) ||
      found.spilled.has(ulid) ||
      found.quarantined.has(ulid) ||
      found.dropped.has(ulid);
    if (!known) violations.push({ kind: "ledger", what: `${ulid} would be counted as missing` });
  }
  return violations;
}

/** Names that may be read before their content is whole. */
export function judgeVisible({ truth }: CrashWorld, found: Found): Violation[] {
  const torn = [...found.pending].filter(
    ([ulid, text]) => text === undefined && !truth.damaged.has(ulid),
  );
  return [
    ...torn.map(([ulid]): Violation => ({ kind: "torn", what: `pending ${ulid}` })),
    ...found.tornSegments.map((name): Violation => ({ kind: "torn", what: name })),
  ];
}

/** Whatever left the queue for the store must be found by a rebuild. */
export function judgeArchive({ truth }: CrashWorld, found: Found): Violation[] {
  return [...truth.acknowledged].flatMap(([ulid, text]): Violation[] => {
    const waiting =
      found.pending.has(ulid) || found.spilled.has(ulid) || found.quarantined.has(ulid);
    if (waiting || found.dropped.has(ulid) || found.archived.get(ulid) === text) return [];
    return [{ kind: "not archived", what: ulid }];
  });
}

/** Whatever left the queue for the store has its line in the ledger, or its loss would be silent. */
export function judgeLedger({ truth }: CrashWorld, found: Found): Violation[] {
  return [...truth.acknowledged.keys()].flatMap((ulid): Violation[] => {
    const waiting =
      found.pending.has(ulid) || found.spilled.has(ulid) || found.quarantined.has(ulid);
    if (waiting || found.dropped.has(ulid) || found.ledger.has(ulid)) return [];
    return [{ kind: "ledger", what: `${ulid} left without its line` }];
  });
}

/** Forgotten records that are somewhere, and ordered ones that nothing hides. */
export function judgeForgotten({ truth, store, layout }: CrashWorld, found: Found): Violation[] {
  const hidden = orderedIn(layout.forgetDir);
  return [...truth.ordered, ...truth.forgotten].flatMap((ulid): Violation[] => {
    const places = {
      store: store.textOf(ulid) !== undefined,
      pending: found.pending.has(ulid),
      spilled: found.spilled.has(ulid),
      quarantined: found.quarantined.has(ulid),
      // Read by a rebuild alone, which knows of tombstones.
      archived: truth.forgotten.has(ulid) && found.archived.has(ulid),
    };
    const there = Object.entries(places).flatMap(([place, is]) => (is ? [place] : []));
    const isShown = truth.forgotten.has(ulid) || !hidden.has(ulid);
    if (there.length === 0 || !isShown) return [];
    return [{ kind: "came back", what: `${ulid}: ${there.join()}` }];
  });
}

/** Ids in whole orders. */
function orderedIn(dir: string): Set<string> {
  const ids = namesIn(dir).flatMap((name): string[] => {
    if (!name.endsWith(".json")) return [];
    try {
      return JSON.parse(bytesOf(join(dir, name)).toString("utf8")).ulids;
    } catch {
      return []; // torn
    }
  });
  return new Set(ids);
}

/** A capture of which nothing was stored, they said. */
export function judgeRefused({ home, truth, store }: CrashWorld): Violation[] {
  const violations: Violation[] = [];
  if (truth.refused.length === 0) return violations;
  const texts = new Set([...store.rows.values()].map(({ record }) => record.surface));
  const files = readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const { ulid, text } of truth.refused) {
    if (texts.has(text)) violations.push({ kind: "came back", what: "a row" });
    for (const path of files) {
      const named = ulid !== undefined && path.includes(ulid);
      if (named || readFileSync(path).includes(text)) {
        violations.push({ kind: "came back", what: path });
      }
    }
  }
  return violations;
}

/** The text of a whole envelope of this id; undefined for anything else. */
function provenText(bytes: Buffer, ulid: string): string | undefined {
  try {
    const { ulid: id, record, checksum } = JSON.parse(bytes.toString("utf8"));
    const proved = bytes.subarray(0, bytes.lastIndexOf(`,"checksum":"`));
    const whole = createHash("sha256").update(proved).digest("hex") === checksum;
    return whole && id === ulid ? record.surface : undefined;
  } catch {
    return undefined; // torn
  }
}

function spilledTexts(dir: string): { texts: Map<string, string>; torn: string[] } {
  const texts = new Map<string, string>();
  const torn: string[] = [];
  for (const name of namesIn(dir).filter((one) => one.endsWith(".ndjson.gz"))) {
    const lines = unzipped(bytesOf(join(dir, name)));
    const count = Number(name.split("-")[2]);
    let proven = 0;
    for (const line of lines ?? []) {
      const ulid = line.slice(9, 35);
      const text = provenText(Buffer.from(line), ulid);
      if (text === undefined) continue;
      texts.set(ulid, text);
      proven++;
    }
    if (proven !== count) torn.push(name);
  }
  return { texts, torn };
}

/** Node's own reader: a segment is never torn, so nothing needs to be stepped over. */
function unzipped(bytes: Buffer): string[] | undefined {
  try {
    return linesOf(gunzipSync(bytes));
  } catch {
    return undefined;
  }
}

/** The archive may be torn by design, so it is read with the reader that steps over damage. */
function archivedTexts(dir: string): Map<string, string> {
  const texts = new Map<string, string>();
  for (const name of namesIn(dir)) {
    for (const { lines } of decodeMembers(bytesOf(join(dir, name)), () => {})) {
      for (const line of lines) {
        const ulid = line.toString("latin1", 9, 35);
        const text = provenText(line, ulid);
        if (text !== undefined) texts.set(ulid, text);
      }
    }
  }
  return texts;
}

function droppedIn(audit: Buffer): string[] {
  return linesOf(audit).flatMap((line) => {
    try {
      const { disposition, dropped_ulid: ulid } = JSON.parse(line);
      return disposition === "dropped" ? [ulid] : [];
    } catch {
      return []; // torn
    }
  });
}

function linesOf(bytes: Buffer): string[] {
  return bytes
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "");
}

function namesIn(dir: string): string[] {
  return statSync(dir, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(dir) : [];
}

function bytesOf(path: string): Buffer {
  return statSync(path).isFile() ? readFileSync(path) : Buffer.alloc(0);
}
