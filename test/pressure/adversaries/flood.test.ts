/**
 * More captures than can be ingested, for longer than the queue has room: 5,000 a second offered by
 * several processes, one record a transaction, and a second program on the store's write lock. What it
 * shows: the queue stays below its limit, the spill takes the rest, memory stays flat, status
 * answers, and everything arrives.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { pendingUlid } from "../../../src/queue/layout.ts";
import { readSegment, sortSegments } from "../../../src/queue/spill-segment.ts";
import { runBuilt } from "../../support/built-program.ts";
import { percentile } from "../../support/capture-stream.ts";
import { ServerProcess } from "../../support/capturing-server.ts";
import { addCrashRow, rounds } from "../../support/crash-table.ts";
import { type Flood, startFlood } from "../../support/flood.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { until } from "../../support/ingest-bench.ts";
import { holdStore } from "../../support/store-holder.ts";
import { countDamage, damage, NO_DAMAGE, storedRows } from "../../support/stored-truth.ts";

const RIG = "flood";
const SECONDS = rounds(3, 30);
const PER_SECOND = 5_000;
const PRODUCERS = 4;
const IN_FLIGHT = 64;
const MAX_RECORDS = 500;
/** Across processes, by what is being appended. */
const PENDING_MAX = MAX_RECORDS + PRODUCERS * IN_FLIGHT;
const SAMPLE_MS = 100;
/** What a server may take with all its threads; the container of docs/DEPLOY has 256. */
const RSS_BYTES_MAX = 256 * 1_048_576;
/** What memory may grow by between the first third of the flood and the last. */
const RSS_GROWTH_MAX = 64 * 1_048_576;
/** Slow, so that most of the flood has to be spilled. */
const SLOW = { MEMSPOOL_INGEST_BATCH_RECORDS: "1", MEMSPOOL_LOG_LEVEL: "silent" };
const RHYTHM = { holdMs: 250, freeMs: 50 };

interface Sample {
  readonly pending: number;
  /** The largest of all servers. */
  readonly rssBytes: number;
  /** Until status had answered. */
  readonly statusMs: number;
}

const queueDir = (home: string) => join(home, "queue");

function rssOf(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(line?.[1] ?? 0) * 1_024;
  } catch {
    return 0; // it has left
  }
}

/** Looks until the flood is over. */
async function watch(home: string, server: ServerProcess, flood: Flood): Promise<Sample[]> {
  const samples: Sample[] = [];
  let over = false;
  void flood.over.finally(() => {
    over = true;
  });
  while (!over) {
    const askedAt = performance.now();
    await server.status();
    samples.push({
      pending: readdirSync(queueDir(home)).filter(pendingUlid).length,
      rssBytes: Math.max(...[server.pid, ...flood.pids].map(rssOf)),
      statusMs: performance.now() - askedAt,
    });
    await pause(SAMPLE_MS);
  }
  return samples;
}

/** A flood on a slowed leader, until everybody has left. */
async function run(home: string, maxRecords: number, seconds: number) {
  const env = { ...SLOW, MEMSPOOL_QUEUE_MAX_RECORDS: String(maxRecords) };
  const server = await ServerProcess.start(home, env);
  const first = await server.capture("makes the store");
  await until(async () => expect(await server.state(first.ulid)).toBe("ingested"));
  const holder = await holdStore(home, RHYTHM);
  const load = { producers: PRODUCERS, perSecond: PER_SECOND, inFlightMax: IN_FLIGHT };
  const flood = await startFlood({ home, env, seconds, ...load });
  const samples = await watch(home, server, flood);
  const { counts, acknowledged } = await flood.over;
  await server.leave();
  await holder.release();
  return { first, samples, counts, acknowledged, times: holder.times() };
}

/** Every id that lies in queue, spill or store. */
async function idsEverywhere(home: string) {
  const pending = readdirSync(queueDir(home)).flatMap((name) => pendingUlid(name) ?? []);
  const overflow = join(queueDir(home), "overflow");
  const spilled = sortSegments(readdirSync(overflow)).flatMap(({ name }) =>
    readSegment(readFileSync(join(overflow, name))).envelopes.map(({ ulid }) => ulid),
  );
  const stored = (await storedRows(home)).map(({ ulid }) => ulid);
  return { pending, spilled, stored };
}

const most = (samples: readonly Sample[], what: keyof Sample) =>
  Math.max(...samples.map((sample) => sample[what]));

describe("5,000 captures a second against a slowed ingester", () => {
  it(
    "Q11: pending stays below its bound, the spill takes the rest, memory is flat, all arrives",
    async () => {
      const home = freshDirectory();
      const { first, samples, counts, acknowledged, times } = await run(home, MAX_RECORDS, SECONDS);
      const { pending, spilled, stored } = await idsEverywhere(home);
      const everywhere = new Set([...pending, ...spilled, ...stored]);
      const thirds = Math.ceil(samples.length / 3);
      const growth =
        most(samples.slice(-thirds), "rssBytes") - most(samples.slice(0, thirds), "rssBytes");
      process.stderr.write(
        `${RIG}: ${counts.offered} offered in ${SECONDS} s, ${counts.acknowledged} acknowledged; ` +
          `at most ${most(samples, "pending")} pending of ${MAX_RECORDS}; then ${pending.length} ` +
          `pending, ${spilled.length} spilled, ${stored.length} stored; RSS at most ` +
          `${Math.round(most(samples, "rssBytes") / 1_048_576)} MiB, grown by ` +
          `${Math.round(growth / 1_048_576)}; status p50 ` +
          `${Math.round(
            percentile(
              samples.map(({ statusMs }) => statusMs),
              0.5,
            ),
          )} ms, at most ` +
          `${Math.round(most(samples, "statusMs"))} ms; lock taken ${times} times\n`,
      );
      // Every capture that was sent is answered, and what was acknowledged is somewhere, once.
      expect(counts.refused).toBe(0);
      expect(counts.acknowledged).toBe(counts.sent);
      expect(everywhere.size).toBe(counts.acknowledged + 1);
      expect(most(samples, "pending")).toBeLessThanOrEqual(PENDING_MAX);
      expect(spilled.length).toBeGreaterThan(MAX_RECORDS);
      expect(most(samples, "rssBytes")).toBeLessThan(RSS_BYTES_MAX);
      expect(growth).toBeLessThan(RSS_GROWTH_MAX);
      expect(most(samples, "statusMs")).toBeLessThan(1_000);

      const drained = await runBuilt(["drain"], { home });
      expect(drained.exitCode, drained.stderr).toBe(0);
      const rows = await storedRows(home);
      const found = damage([first, ...acknowledged], rows);
      addCrashRow({
        rig: RIG,
        operation: `${PRODUCERS} servers, slowed ingester`,
        fault: `${PER_SECOND} captures a second`,
        tried: counts.acknowledged,
        ...countDamage([found]),
      });
      expect(found).toEqual(NO_DAMAGE);
      expect(rows).toHaveLength(counts.acknowledged + 1);
    },
    SECONDS * 1_000 + 120_000,
  );

  it("the rig catches: a queue without a bound", async () => {
    const { samples, counts } = await run(freshDirectory(), 1_000_000, 2);
    const caught = most(samples, "pending") > PENDING_MAX;
    addCrashRow({
      rig: RIG,
      operation: `${PRODUCERS} servers, slowed ingester`,
      fault: "a queue without a bound",
      tried: counts.acknowledged,
      ...{ lost: 0, altered: 0, twice: 0 },
      caught,
    });
    expect(caught).toBe(true);
  });
});
