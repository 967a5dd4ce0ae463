import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { NOTE_BYTES_MAX, parseServerNote, type ServerNote } from "../../src/events/server-note.ts";
import {
  NOTES_MAX,
  readServerNotes,
  type ServerNoteContent,
  ServerNotes,
  serverNoteName,
} from "../../src/events/server-notes.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOST = "here";
const PID = 4_000;

let dir: string;
let clock: ManualClock;

beforeEach(() => {
  dir = join(freshDirectory(), "run");
  clock = new ManualClock();
});

function content(changes: Partial<ServerNoteContent> = {}): ServerNoteContent {
  return {
    spool: { state: "soft", since_ms: 5, used_bytes: 10, dropped: 0 },
    gate: { waiting: 1, delayed: 2, refused_by_quota: 3, refused_early: 4, refused_by_memory: 5 },
    memory: { level: "normal", rss_bytes: 90, limit_bytes: 100, source: "heap" },
    governor: { state: "degraded", share: 0.5, since_ms: 7, cause: "memory" },
    ack: { p50_ms: 1.5, p99_ms: 9 },
    ingest_rate: 120.5,
    signals: [],
    history: { depth: [1, null, 2], ack_p99_ms: [9, null, 9] },
    ...changes,
  };
}

function writer(pid = PID, host = HOST): ServerNotes {
  return new ServerNotes({ fs: nodeDurableFsSync, dir, clock, pid, host, version: "0.1.0" });
}

function read(alive: readonly number[] = [PID]): Promise<ServerNote[]> {
  const isAlive = (pid: number) => alive.includes(pid);
  return readServerNotes({ fs: nodeDurableFs, dir, clock, host: HOST, isAlive });
}

/** Moments at which the note on disk was written. */
function writtenAt(): number {
  const text = readFileSync(join(dir, serverNoteName(PID, HOST)), "utf8");
  return (JSON.parse(text) as ServerNote).at_ms;
}

describe("writing a note", () => {
  it("what is written is what another process reads, for the owner's eyes only", async () => {
    writer().write(content());
    const path = join(dir, serverNoteName(PID, HOST));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    const at_ms = clock.nowMs();
    expect(await read()).toEqual(
      [
        { note_version: 1, pid: PID, host: HOST, version: "0.1.0", started_at_ms: at_ms, at_ms },
      ].map((who) => ({ ...who, ...content() })),
    );
  });

  it("is written at most once a second, and only when something changed", () => {
    const notes = writer();
    const start = clock.nowMs();
    notes.write(content());
    clock.advance(500);
    notes.write(content({ ingest_rate: 1 }));
    expect(writtenAt()).toBe(start);
    clock.advance(500);
    notes.write(content({ ingest_rate: 1 }));
    expect(writtenAt()).toBe(start + 1_000);
    clock.advance(1_000);
    // The history moved on by a second in which nothing happened, and memory came and went.
    const history = { depth: [null, 2, 2], ack_p99_ms: [null, 9, 9] };
    const memory = { level: "normal", rss_bytes: 91, limit_bytes: 100, source: "heap" } as const;
    notes.write(content({ ingest_rate: 1, history, memory }));
    expect(writtenAt()).toBe(start + 1_000);
    clock.advance(1_000);
    notes.write(content({ ingest_rate: 1, history: { ...history, depth: [2, 2, 3] } }));
    expect(writtenAt()).toBe(start + 3_000);
  });

  it("R1: use of memory is told anew while it is short, and costs nothing while it is not", () => {
    const notes = writer();
    const start = clock.nowMs();
    const at = (level: "normal" | "shed", rss_bytes: number) => {
      notes.write(content({ memory: { level, rss_bytes, limit_bytes: 100, source: "heap" } }));
      clock.advance(1_000);
      return writtenAt() - start;
    };
    expect([at("normal", 1), at("normal", 2), at("shed", 90), at("shed", 91)]).toEqual([
      ...[0, 0, 2_000, 3_000],
    ]);
  });

  it("is written every thirty seconds while nothing changes, so that other hosts see it", () => {
    const notes = writer();
    const start = clock.nowMs();
    for (let second = 0; second < 31; second++) {
      notes.write(content());
      clock.advance(1_000);
    }
    expect(writtenAt()).toBe(start + 30_000);
  });

  it("goes when the server closes, and does not come back", () => {
    const notes = writer();
    notes.write(content());
    notes.close();
    notes.close();
    clock.advance(60_000);
    notes.write(content({ ingest_rate: 0 }));
    expect(readdirSync(dir)).toEqual([]);
  });

  it("X1: a symlink in the directory's place is not followed", () => {
    const elsewhere = freshDirectory();
    symlinkSync(elsewhere, dir);
    writer().write(content());
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("a directory that can not be made costs the note and nothing else", () => {
    writeFileSync(dir, "a file");
    const notes = writer();
    expect(() => notes.write(content())).not.toThrow();
    expect(() => notes.close()).not.toThrow();
  });
});

describe("reading notes", () => {
  it("no server ever ran here: none", async () => {
    expect(await read()).toEqual([]);
  });

  it("a dead process's note is not shown, and swept after a minute", async () => {
    writer().write(content());
    expect(await read([])).toEqual([]);
    expect(readdirSync(dir)).toHaveLength(1);
    clock.advance(61_000);
    expect(await read([])).toEqual([]);
    expect(readdirSync(dir)).toEqual([]);
  });

  it("a note of this host whose process lives is shown for ten minutes at most", async () => {
    writer().write(content());
    clock.advance(599_000);
    expect(await read()).toHaveLength(1);
    clock.advance(2_000);
    expect(await read()).toEqual([]);
  });

  it("a note of another host counts while it is fresh, whatever lives here", async () => {
    writer(PID, "elsewhere").write(content());
    expect(await read([])).toHaveLength(1);
    clock.advance(61_000);
    expect(await read([PID])).toEqual([]);
    expect(readdirSync(dir)).toHaveLength(1);
    clock.advance(86_400_000);
    await read();
    expect(readdirSync(dir)).toEqual([]);
  });

  it("equal process ids of two hosts have a note each", async () => {
    writer().write(content());
    writer(PID, "elsewhere").write(content());
    expect((await read()).map(({ host }) => host).sort()).toEqual(["elsewhere", HOST]);
  });

  it("damaged, torn, too large, foreign and odd entries are passed over", async () => {
    writer().write(content());
    const whole = readFileSync(join(dir, serverNoteName(PID, HOST)), "utf8");
    const name = (pid: number) => join(dir, serverNoteName(pid, HOST));
    writeFileSync(name(1), whole.slice(0, 50));
    writeFileSync(name(2), "\u0000".repeat(100));
    writeFileSync(name(3), `${whole.trimEnd()}${" ".repeat(NOTE_BYTES_MAX)}`);
    mkdirSync(name(4));
    symlinkSync(name(PID), name(5));
    writeFileSync(join(dir, "other.json"), whole);
    expect((await read([1, 2, 3, 4, 5, PID])).map(({ pid }) => pid)).toEqual([PID]);
  });

  it("what a kill left of writing is swept after a day, and other files never", async () => {
    writer().write(content());
    const left = join(dir, `${serverNoteName(PID, HOST)}.123456`);
    const other = join(dir, "other.json");
    const old = new Date(clock.nowMs() - 90_000_000);
    for (const path of [left, other]) {
      writeFileSync(path, "{");
      utimesSync(path, old, old);
    }
    expect(await read()).toHaveLength(1);
    expect([existsSync(left), existsSync(other)]).toEqual([false, true]);
  });

  it("X1: a symlink in the directory's place is not followed, and nothing behind it is swept", async () => {
    writer().write(content());
    const link = join(freshDirectory(), "run");
    symlinkSync(dir, link);
    clock.advance(61_000);
    const parts = { fs: nodeDurableFs, dir: link, clock, host: HOST };
    expect(await readServerNotes({ ...parts, isAlive: () => true })).toEqual([]);
    await readServerNotes({ ...parts, isAlive: () => false });
    expect(readdirSync(dir)).toHaveLength(1);
  });

  it("shows the newest 64 of many", async () => {
    const alive = Array.from({ length: 70 }, (_, index) => index + 1);
    for (const pid of alive) {
      writer(pid).write(content());
      clock.advance(1);
    }
    const notes = await read(alive);
    expect(notes).toHaveLength(NOTES_MAX);
    expect([notes[0]?.pid, notes.at(-1)?.pid]).toEqual([70, 7]);
  });

  it("believes only a whole note of its version, field by field", () => {
    writer().write(content());
    const whole = JSON.parse(readFileSync(join(dir, serverNoteName(PID, HOST)), "utf8"));
    expect(parseServerNote(JSON.stringify(whole))).toEqual(whole);
    for (const field of Object.keys(whole)) {
      for (const wrong of [undefined, {}, [], true, "x".repeat(2), -1.5]) {
        const text = JSON.stringify({ ...whole, [field]: wrong });
        const parsed = parseServerNote(text);
        if (parsed !== undefined) expect(JSON.stringify(parsed)).toBe(text);
      }
    }
    const long = { depth: new Array(61).fill(1), ack_p99_ms: [] };
    expect(parseServerNote(JSON.stringify({ ...whole, history: long }))).toBeUndefined();
    const unknown = { pid: null, spool: null, gate: null, governor: null, ack: null };
    expect(parseServerNote(JSON.stringify({ ...whole, ...unknown, pid: 1 }))).toMatchObject({
      spool: null,
      pid: 1,
    });
  });
});
