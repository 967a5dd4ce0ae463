import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CaptureQueueSchemaError, type MemspoolError } from "../../src/errors.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

interface Bench {
  readonly queue: CaptureQueue;
  readonly clock: ManualClock;
  readonly events: RecordedEvents;
  readonly dir: string;
  /** A queue object of its own on the same directory, as another process would have. */
  readonly other: () => CaptureQueue;
}

function bench(): Bench {
  const queueDir = join(freshDirectory(), "queue");
  // Marks are judged against real file times.
  const clock = new ManualClock(Date.now());
  const events = new RecordedEvents();
  const open = () => new CaptureQueue({ queueDir, clock, events, markMemory: newMarkMemory() });
  return { queue: open(), clock, events, dir: queueDir, other: open };
}

const mark = (dir: string, ulid: string) => join(dir, `pending-${ulid}.lock`);
const file = (dir: string, ulid: string) => join(dir, `pending-${ulid}.json`);

async function failure(promise: Promise<unknown>): Promise<Error & { ingestedCount?: number }> {
  return promise.then(
    () => {
      throw new Error("did not fail");
    },
    (error: Error) => error,
  );
}

/** Rewrites one field of an envelope without mending its checksum. */
function spoil(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

describe("ingestPending", () => {
  it("Q8: hands out every record oldest first and removes it", async () => {
    const { queue, dir } = bench();
    const made: string[] = [];
    for (let n = 0; n < 5; n++) made.push((await queue.append({ surface: `${n}` })).ulid);
    const seen: string[] = [];
    const count = await queue.ingestPending(async (record, { ulid, appendedAt, attempt }) => {
      expect(attempt).toBe(1);
      expect(new Date(appendedAt).toISOString()).toBe(appendedAt);
      expect(existsSync(mark(dir, ulid))).toBe(true);
      seen.push(ulid);
      expect(record.surface).toBe(`${seen.length - 1}`);
    });
    expect(count).toBe(5);
    expect(seen).toEqual(made);
    expect(readdirSync(dir).filter((name) => name.startsWith("pending-"))).toEqual([]);
  });

  it("Q8: a handler that throws leaves envelope and mark, the error comes out, a retry at once removes both", async () => {
    const { queue, dir } = bench();
    const { ulid } = await queue.append({ surface: "x" });
    const boom = new Error("boom");
    const error = await failure(queue.ingestPending(() => Promise.reject(boom)));
    expect(error).toBe(boom);
    expect(error.ingestedCount).toBe(0);
    expect([existsSync(file(dir, ulid)), existsSync(mark(dir, ulid))]).toEqual([true, true]);
    const attempts: number[] = [];
    expect(await queue.ingestPending((_, { attempt }) => void attempts.push(attempt))).toBe(1);
    expect(attempts).toEqual([2]);
    expect([existsSync(file(dir, ulid)), existsSync(mark(dir, ulid))]).toEqual([false, false]);
  });

  it("Q8: the process may retry at once through another queue object, and handles a record once at a time", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const [one, other] = [new CaptureQueue({ queueDir }), new CaptureQueue({ queueDir })];
    await one.append({ surface: "x" });
    await failure(one.ingestPending(() => Promise.reject(new Error("boom"))));
    let during = -1;
    const count = await other.ingestPending(async () => {
      during = await one.ingestPending(() => {});
    });
    expect([count, during]).toEqual([1, 0]);
  });

  it("Q8: others leave a failed record alone until its mark is stale", async () => {
    const { queue, clock, other } = bench();
    await queue.append({ surface: "x" });
    await failure(queue.ingestPending(() => Promise.reject(new Error("boom"))));
    expect(await other().ingestPending(() => {})).toBe(0);
    clock.advance(10_500);
    expect(await other().ingestPending(() => {})).toBe(1);
  });

  it("Q8: a record that another holds is skipped, the two beside it are ingested, and 2 comes back", async () => {
    const { queue, dir, other } = bench();
    await queue.append({ surface: "a" });
    const { ulid } = await queue.append({ surface: "held" });
    await queue.append({ surface: "c" });
    writeFileSync(mark(dir, ulid), "");
    expect(await other().ingestPending(() => {})).toBe(2);
    expect(existsSync(file(dir, ulid))).toBe(true);
    expect(existsSync(mark(dir, ulid))).toBe(true);
  });

  it("Q8: a lock directory of another program is honoured while fresh, in either direction, and stale beyond", async () => {
    const { queue, dir, clock } = bench();
    const { ulid } = await queue.append({ surface: "x" });
    mkdirSync(mark(dir, ulid));
    expect(await queue.ingestPending(() => {})).toBe(0);
    const touch = (ageMs: number) => {
      const seconds = (clock.nowMs() - ageMs) / 1_000;
      utimesSync(mark(dir, ulid), seconds, seconds);
    };
    touch(9_000);
    expect(await queue.ingestPending(() => {})).toBe(0);
    touch(-9_000);
    expect(await queue.ingestPending(() => {})).toBe(0);
    touch(-11_000);
    expect(await queue.ingestPending(() => {})).toBe(1);
    expect(existsSync(mark(dir, ulid))).toBe(false);
  });

  it("Q8: a stale lock directory with something in it is not ours to remove", async () => {
    const { queue, dir, clock } = bench();
    const { ulid } = await queue.append({ surface: "x" });
    mkdirSync(mark(dir, ulid));
    writeFileSync(join(mark(dir, ulid), "note"), "mine");
    clock.advance(60_000);
    expect(await queue.ingestPending(() => {})).toBe(0);
    expect(readFileSync(join(mark(dir, ulid), "note"), "utf8")).toBe("mine");
  });

  it("Q8: of two passes at once in one process each record is handled by one", async () => {
    const { queue } = bench();
    for (let n = 0; n < 20; n++) await queue.append({ surface: `${n}` });
    const seen: string[] = [];
    const handler = async (_: unknown, { ulid }: { ulid: string }) => {
      seen.push(ulid);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const counts = await Promise.all([queue.ingestPending(handler), queue.ingestPending(handler)]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
    expect(new Set(seen).size).toBe(20);
    expect(seen).toHaveLength(20);
  });

  it("Q8: two takers of one stale mark end with the record handled, and with no file left over", async () => {
    const { queue, dir, clock, other } = bench();
    for (let n = 0; n < 10; n++) {
      const { ulid } = await queue.append({ surface: `${n}` });
      writeFileSync(mark(dir, ulid), "");
    }
    clock.advance(60_000);
    const seen = new Set<string>();
    const handler = (_: unknown, { ulid }: { ulid: string }) => void seen.add(ulid);
    await Promise.all([queue.ingestPending(handler), other().ingestPending(handler)]);
    expect(seen.size).toBe(10);
    expect(readdirSync(dir).filter((name) => /^(pending-|\.tmp-)/.test(name))).toEqual([]);
  });

  it("Q9: goes on after failures, then throws them together with the count", async () => {
    const { queue } = bench();
    for (const surface of ["a", "bad", "b", "bad", "c"]) await queue.append({ surface });
    const handled: string[] = [];
    const error = await failure(
      queue.ingestPending((record) => {
        if (record.surface === "bad") throw new Error("no");
        handled.push(record.surface);
      }),
    );
    expect(handled).toEqual(["a", "b", "c"]);
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).errors).toHaveLength(2);
    expect(error.ingestedCount).toBe(3);
  });

  it("Q9: a damaged envelope spends three attempts (at once, then after 60 s) and ends in quarantine with its reason", async () => {
    const { queue, dir, clock, events } = bench();
    const { ulid } = await queue.append({ surface: "will rot" });
    await queue.append({ surface: "good" });
    spoil(file(dir, ulid), (text) => text.replace("rot", "r0t"));
    const spoilt = readFileSync(file(dir, ulid));
    const codes: string[] = [];
    const pass = async () => {
      try {
        return await queue.ingestPending(() => {});
      } catch (error) {
        codes.push((error as MemspoolError).code);
        return (error as { ingestedCount: number }).ingestedCount;
      }
    };
    expect(await pass()).toBe(1);
    expect(await pass()).toBe(0);
    expect(codes).toHaveLength(2);
    clock.advance(59_000);
    await pass();
    expect(codes).toHaveLength(2);
    clock.advance(1_500);
    await pass();
    expect(codes).toEqual(new Array(3).fill("ENVELOPE_CHECKSUM_MISMATCH"));
    expect([existsSync(file(dir, ulid)), existsSync(mark(dir, ulid))]).toEqual([false, false]);
    const set = join(dir, "quarantine", `pending-${ulid}`);
    expect(readFileSync(`${set}.json`)).toEqual(spoilt);
    const reason = JSON.parse(readFileSync(`${set}.reason.json`, "utf8"));
    expect(reason).toMatchObject({ ulid, code: "ENVELOPE_CHECKSUM_MISMATCH", attempts: 3 });
    expect(JSON.stringify(reason)).not.toContain("r0t");
    expect(
      events.all.map(({ event }) => event).filter((event) => event.includes("aside")),
    ).toHaveLength(2);
    expect(events.all.at(-1)?.event).toBe("capture_quarantined");
    expect(await queue.pendingCount()).toBe(0);
  });

  it("Q9: attempts survive the process: another one goes on counting", async () => {
    const { queue, dir, clock, other } = bench();
    const { ulid } = await queue.append({ surface: "x" });
    writeFileSync(file(dir, ulid), "no json");
    await failure(queue.ingestPending(() => {}));
    await failure(queue.ingestPending(() => {}));
    clock.advance(61_000);
    await failure(other().ingestPending(() => {}));
    expect(existsSync(join(dir, "quarantine", `pending-${ulid}.json`))).toBe(true);
  });

  it("Q9: a handler's own failures never quarantine, unless they say that the record is at fault", async () => {
    const { queue, dir, clock } = bench();
    const { ulid } = await queue.append({ surface: "x" });
    for (let n = 0; n < 10; n++) {
      await failure(queue.ingestPending(() => Promise.reject(new Error("database away"))));
      clock.advance(200_000);
    }
    expect(existsSync(file(dir, ulid))).toBe(true);
    const refusal = Object.assign(new Error("never"), { retryable: false });
    for (let n = 0; n < 3; n++) {
      await failure(queue.ingestPending(() => Promise.reject(refusal)));
      clock.advance(200_000);
    }
    expect(existsSync(file(dir, ulid))).toBe(false);
    expect(existsSync(join(dir, "quarantine", `pending-${ulid}.json`))).toBe(true);
  });

  it.each([
    ["a directory", (path: string) => mkdirSync(path)],
    ["a symlink", (path: string) => symlinkSync("/etc/hostname", path)],
  ])(
    "X1: %s under an envelope's name is set aside, never followed, and blocks nobody",
    async (_, make) => {
      const { queue, dir, clock } = bench();
      await queue.append({ surface: "good" });
      const foreign = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
      make(file(dir, foreign));
      const error = await failure(queue.ingestPending(() => {}));
      expect(error).toMatchObject({ code: "ENVELOPE_UNREADABLE", ingestedCount: 1 });
      await failure(queue.ingestPending(() => {}));
      clock.advance(61_000);
      await failure(queue.ingestPending(() => {}));
      expect(readdirSync(join(dir, "quarantine"))).toContain(`pending-${foreign}.json`);
      expect(await queue.pendingCount()).toBe(0);
    },
  );

  it("Q10: an unknown schema_version is named, not handled, not marked, not quarantined, and said once", async () => {
    const { queue, dir, clock, events } = bench();
    await queue.append({ surface: "a" });
    const { ulid } = await queue.append({ surface: "newer" });
    await queue.append({ surface: "c" });
    spoil(file(dir, ulid), (text) => text.replace('"schema_version":1', '"schema_version":99'));
    const handled: string[] = [];
    for (let n = 0; n < 5; n++) {
      const error = await failure(
        queue.ingestPending((record) => void handled.push(record.surface)),
      );
      expect(error).toBeInstanceOf(CaptureQueueSchemaError);
      expect(error.message).toContain("schema_version 99");
      clock.advance(100_000);
    }
    expect(handled).toEqual(["a", "c"]);
    expect(existsSync(file(dir, ulid))).toBe(true);
    expect(existsSync(mark(dir, ulid))).toBe(false);
    expect(await queue.pendingCount()).toBe(1);
    expect(events.all.filter(({ event }) => event === "schema_version_unknown")).toHaveLength(1);
  });

  it("Q8: an empty queue returns 0 and calls nothing", async () => {
    const { queue } = bench();
    let calls = 0;
    expect(await queue.ingestPending(() => void calls++)).toBe(0);
    expect(calls).toBe(0);
  });

  it("Q3: Unicode comes back code unit for code unit", async () => {
    const { queue } = bench();
    const texts = [
      "\u00e9",
      "e\u0301",
      "",
      " \t\r\n ",
      "\u0000",
      "a\ud800",
      "\udc00b",
      "\u202eabc\u202c",
      "👩‍👩‍👧‍👦",
      "\ufeffbom",
      "l".repeat(1_048_576),
    ];
    for (const surface of texts) await queue.append({ surface });
    const seen: string[] = [];
    await queue.ingestPending((record) => void seen.push(record.surface));
    expect(seen).toEqual(texts);
  });

  it("Q9: a disk that takes neither mark nor quarantine does not keep a bad record for ever", async () => {
    const { fs, fail } = faultyFsSync();
    const { dir, clock, events } = bench();
    const queue = new CaptureQueue({ queueDir: dir, clock, events, fsSync: fs, attemptsMax: 1 });
    const { ulid } = await queue.append({ surface: "will rot" });
    spoil(file(dir, ulid), (text) => text.replace("rot", "r0t"));
    fail({ method: "replace", errno: "ENOSPC", pathEnds: ".reason.json" });
    const fault = { code: "ENVELOPE_CHECKSUM_MISMATCH", ingestedCount: 0 };
    expect(await failure(queue.ingestPending(() => {}))).toMatchObject(fault);
    expect(events.named("envelope_read_failed")).toEqual([{ ulid, errno: "ENOSPC" }]);
    fail(undefined);
    expect(await failure(queue.ingestPending(() => {}))).toMatchObject(fault);
    expect(existsSync(join(dir, "quarantine", `pending-${ulid}.json`))).toBe(true);
  });
});
