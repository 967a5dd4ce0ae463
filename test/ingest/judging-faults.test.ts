import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { quarantinePage } from "../../src/memory/queue-pages.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { quarantineNames } from "../../src/queue/quarantine-list.ts";
import { recover } from "../../src/queue/recover.ts";
import { encodeEnvelope } from "../../src/record/envelope.ts";
import { failingFor, storeAway, storeRefuses } from "../support/fake-store.ts";
import { IngestBench, until } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";

const DRAIN = { dueOrNot: false };
const OTHER_ID = "01JQ7Z8X9YABCDEFGHJKMNPQRS";

function bench() {
  const clock = new ManualClock(Date.now());
  return { clock, queue: new IngestBench(clock) };
}

/** Makes the record a bad one; returns the id under which it lies then. */
type Harm = (queue: IngestBench, ulid: string) => string;

const FAULTS: [string, string, Harm][] = [
  [
    "no JSON",
    "ENVELOPE_NOT_JSON",
    (queue, ulid) => {
      writeFileSync(pendingPath(queue.layout, ulid), "not JSON");
      return ulid;
    },
  ],
  [
    "a wrong checksum",
    "ENVELOPE_CHECKSUM_MISMATCH",
    (queue, ulid) => {
      queue.spoil(ulid);
      return ulid;
    },
  ],
  [
    "another id",
    "ENVELOPE_ID_MISMATCH",
    (queue, ulid) => {
      renameSync(pendingPath(queue.layout, ulid), pendingPath(queue.layout, OTHER_ID));
      return OTHER_ID;
    },
  ],
  [
    "no record of this version",
    "ENVELOPE_RECORD_INVALID",
    (queue, ulid) => {
      const bytes = encodeEnvelope(
        ulid,
        "2026-03-01T09:30:00.000Z",
        '{"surface":5}',
        "0".repeat(64),
      );
      writeFileSync(pendingPath(queue.layout, ulid), bytes);
      return ulid;
    },
  ],
  [
    "no file",
    "ENVELOPE_UNREADABLE",
    (queue, ulid) => {
      unlinkSync(pendingPath(queue.layout, ulid));
      mkdirSync(pendingPath(queue.layout, ulid));
      return ulid;
    },
  ],
  [
    "a value that the store refuses",
    "STORE_REFUSED",
    (queue, ulid) => {
      queue.store.before = failingFor([ulid], storeRefuses);
      return ulid;
    },
  ],
];

describe("a lasting fault", () => {
  it.each(FAULTS)(
    "Q9: %s (%s) spends three attempts in the ingester: at once, and after 60 s",
    async (_, code, harm) => {
      const { queue, clock } = bench();
      const [victim, good] = (await queue.append("victim", "good")) as [string, string];
      const bad = harm(queue, victim);
      const ingester = queue.ingester();
      expect(await ingester.drain(DRAIN)).toEqual({ ingested: 1, quarantined: 0, skipped: 1 });
      expect(queue.store.rows.has(good)).toBe(true);
      const spent = queue.events.named("envelope_set_aside");
      expect(spent.map((each) => [each.code, each.attempts, each.retry_in_ms])).toEqual([
        [code, 1, 0],
        [code, 2, 60_000],
      ]);
      clock.advance(59_000);
      expect(await ingester.drain(DRAIN)).toMatchObject({ quarantined: 0, skipped: 1 });
      clock.advance(1_500);
      expect(await ingester.drain(DRAIN)).toEqual({ ingested: 0, quarantined: 1, skipped: 0 });
      expect(queue.reason(bad)).toMatchObject({ code, attempts: 3 });
      expect([queue.pending(), queue.marked(bad)]).toEqual([[], false]);
    },
  );

  it.each(FAULTS.slice(0, -1))(
    "Q9: %s (%s) spends three attempts in ingestPending, which throws it each time and goes on",
    async (_, code, harm) => {
      const { queue, clock } = bench();
      const [victim] = (await queue.append("victim", "good")) as [string, string];
      const bad = harm(queue, victim);
      const handled: string[] = [];
      const pass = () => queue.queue.ingestPending(({ surface }) => void handled.push(surface));
      await expect(pass()).rejects.toMatchObject({ code, ingestedCount: 1 });
      await expect(pass()).rejects.toMatchObject({ code, ingestedCount: 0 });
      expect(await pass()).toBe(0); // not due
      clock.advance(61_000);
      await expect(pass()).rejects.toMatchObject({ code, ingestedCount: 0 });
      expect(handled).toEqual(["good"]);
      expect(queue.reason(bad)).toMatchObject({ code, attempts: 3 });
    },
  );

  it("Q9: several are thrown together, each as itself, with how many were ingested", async () => {
    const { queue } = bench();
    const ids = (await queue.append("a", "b", "c", "d")) as [string, string, string, string];
    queue.spoil(ids[0]);
    writeFileSync(pendingPath(queue.layout, ids[2]), "not JSON");
    const own = new Error("the handler's own");
    const failure = await queue.queue
      .ingestPending(({ surface }) => {
        if (surface === "d") throw own;
      })
      .then(
        () => expect.unreachable(),
        (error: AggregateError & { ingestedCount: number }) => error,
      );
    expect(failure).toBeInstanceOf(AggregateError);
    expect(failure.ingestedCount).toBe(1);
    expect(failure.errors).toEqual([
      expect.objectContaining({ code: "ENVELOPE_CHECKSUM_MISMATCH" }),
      expect.objectContaining({ code: "ENVELOPE_NOT_JSON" }),
      own,
    ]);
  });

  it("Q9: with more attempts each further one waits 120 s", async () => {
    const { queue, clock } = bench();
    const [bad] = (await queue.append("bad")) as [string];
    queue.spoil(bad);
    const ingester = queue.ingester({ attemptsMax: 5 });
    const drain = () => ingester.drain(DRAIN);
    await drain();
    for (const [waitMs, quarantined] of [
      [60_000, 0],
      [120_000, 0],
      [120_000, 1],
    ] as const) {
      clock.advance(waitMs - 1_000);
      expect(await drain()).toMatchObject({ quarantined: 0, skipped: 1 });
      clock.advance(1_500);
      expect(await drain()).toMatchObject({ quarantined });
    }
    expect(queue.reason(bad)?.attempts).toBe(5);
  });
});

describe("a passing fault", () => {
  it.each(["busy", "full", "read-only", "connection lost"])(
    "Q9: a store that is away (%s) quarantines nothing and marks nothing, however often; then all goes in",
    async (reason) => {
      const { queue, clock } = bench();
      const ids = await queue.appendMany(3);
      queue.store.before = () => {
        throw storeAway(reason);
      };
      const ingester = queue.ingester();
      for (let tries = 0; tries < 10; tries++) {
        await expect(ingester.drain(DRAIN)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
        clock.advance(200_000);
      }
      expect(queue.pending()).toEqual(ids);
      expect(ids.some((ulid) => queue.marked(ulid))).toBe(false);
      expect(readdirSync(queue.layout.quarantineDir)).toEqual([]);
      queue.store.before = () => {};
      expect(await ingester.drain(DRAIN)).toEqual({ ingested: 3, quarantined: 0, skipped: 0 });
    },
  );

  it("Q9: the wait after it is spread by chance, so that many do not come back in step", async () => {
    const waitsMs: number[] = [];
    for (const random of [0, 0.5, 0.999]) {
      const { queue } = bench();
      await queue.append("x");
      queue.store.before = () => {
        throw storeAway();
      };
      const ingester = queue.ingester({ random: () => random });
      ingester.start();
      await until(() => expect(queue.events.named("ingest_delayed").length).toBeGreaterThan(0));
      await ingester.stop();
      waitsMs.push(queue.events.named("ingest_delayed")[0]?.retry_in_ms ?? 0);
    }
    expect(waitsMs).toEqual([50, 75, 100]);
  });

  it("Q9: a handler that says it may be tried again spends no attempt, also before a lasting fault", async () => {
    const { queue, clock } = bench();
    const [ulid] = (await queue.append("x")) as [string];
    const lost = new MemspoolError("STORE_UNAVAILABLE", "The connection is lost.");
    const pass = (error: Error) => queue.queue.ingestPending(() => Promise.reject(error));
    for (let tries = 0; tries < 10; tries++) {
      await expect(pass(lost)).rejects.toBe(lost);
      clock.advance(200_000);
    }
    const refused = new MemspoolError("STORE_REFUSED", "Never.");
    for (let tries = 0; tries < 2; tries++) {
      await expect(pass(refused)).rejects.toBe(refused);
      clock.advance(200_000);
      expect(queue.reason(ulid)).toBeUndefined();
    }
    await expect(pass(refused)).rejects.toBe(refused);
    expect(queue.reason(ulid)).toMatchObject({ code: "STORE_REFUSED", attempts: 3 });
  });
});

describe("what lies in quarantine", () => {
  it("Q9: is listed with its reason, counted, and never deleted by what runs by itself", async () => {
    const { queue, clock } = bench();
    const ids = (await queue.append("bad", "worse", "good")) as [string, string, string];
    for (const ulid of ids.slice(0, 2)) queue.spoil(ulid);
    await queue.ingester().drain({ dueOrNot: true });
    const contents = () =>
      readdirSync(queue.layout.quarantineDir).map((name) => [
        name,
        readFileSync(join(queue.layout.quarantineDir, name), "latin1"),
      ]);
    const before = contents();
    expect(before).toHaveLength(4);
    for (let day = 0; day < 10; day++) {
      clock.advance(86_400_000);
      recover({ fs: nodeDurableFsSync, layout: queue.layout, clock, events: queue.events });
      await queue.append(`day ${day}`);
      await queue.ingester().drain({ dueOrNot: true });
      const other = new CaptureQueue({
        queueDir: queue.layout.dir,
        clock,
        markMemory: newMarkMemory(),
      });
      await other.ingestPending(() => {});
      await other.close();
    }
    expect(contents()).toEqual(before);
    expect(await quarantineNames(nodeDurableFs, queue.layout)).toHaveLength(2);
    const page = await quarantinePage({ fs: nodeDurableFs, queue: queue.queue }, {});
    expect(page.total).toBe(2);
    expect(page.entries.map(({ ulid, code, attempts }) => [ulid, code, attempts])).toEqual(
      ids.slice(0, 2).map((ulid) => [ulid, "ENVELOPE_CHECKSUM_MISMATCH", 3]),
    );
  });
});
