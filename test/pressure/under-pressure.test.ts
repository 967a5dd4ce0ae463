/** P7, P9: pressure in a real server: what a real sensor does to the ingester, and back again. */
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { cgroupDirectories, systemRoots } from "../../src/pressure/cgroup-files.ts";
import { readStalls } from "../../src/pressure/stalls.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { until } from "../support/ingest-bench.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

interface LogLine {
  readonly event: string;
  readonly time: string;
  readonly [field: string]: unknown;
}

/** A server on a queue that holds so many records already. */
async function serverWith(
  pending: number,
  env: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const home = freshDirectory();
  const queue = new CaptureQueue({ queueDir: join(home, "queue") });
  const surface = "what was said, word for word. ".repeat(20);
  for (let from = 0; from < pending; from += 100) {
    await Promise.all(Array.from({ length: 100 }, () => queue.append({ surface })));
  }
  await queue.close();
  const server = await startServer({ home, env: { MEMSPOOL_LOG_LEVEL: "debug", ...env } });
  onTestFinished(async () => void (await server.kill("SIGKILL")));
  return server;
}

function logOf(server: ServerProcess): LogLine[] {
  const whole = server.stderr().split("\n").slice(0, -1);
  return whole.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
}

/** A slowed ingester, on a machine that others slow, too. */
const SLOWED_MS = 45_000;

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function named(server: ServerProcess, event: string): LogLine[] {
  return logOf(server).filter((line) => line.event === event);
}

it("P9: having droppers and scales that nothing called", async () => {
  // Far less than any process has: memory throttles at the first look.
  const server = await serverWith(2_000, {
    MEMORY_LIMIT_BYTES: "1048576",
    MEMSPOOL_GOVERNOR_COOL_DOWN_MS: "100",
    MEMSPOOL_INGEST_BATCH_RECORDS: "50",
  });
  // What follows the last step: it may still meet a batch of the pace before.
  const atTheFloor = () => {
    const lines = logOf(server);
    const floor = lines.findLastIndex(({ event }) => event === "governor_changed");
    return lines
      .slice(floor)
      .filter(({ event }) => event === "capture_ingested")
      .slice(1);
  };
  const shares = () => named(server, "governor_changed").map(({ share_pct }) => share_pct);
  await until(() => {
    expect(shares()).toEqual([50, 25, 20]);
    expect(atTheFloor().length).toBeGreaterThanOrEqual(8);
  }, SLOWED_MS);
  const raised = named(server, "pressure_raised").filter(({ sensor }) => sensor === "memory");
  expect(raised).toHaveLength(1);
  expect(named(server, "memory_critical")).toHaveLength(1);
  const slowed = atTheFloor();
  // At a fifth of the pace no batch has more than a fifth of the records,
  expect(Math.max(...slowed.map(({ count }) => count as number))).toBeLessThanOrEqual(10);
  // and between two comes a pause: of four times the batch, 2 s at most. The other thread writes the
  // times, each a little late: their sum tells a pause from none, single ones need not.
  const [first, ...rest] = slowed as [LogLine, ...LogLine[]];
  const msOf = (lines: readonly LogLine[]) => lines.map(({ ms }) => ms as number);
  const spanMs = Date.parse(rest.at(-1)?.time ?? "") - Date.parse(first.time);
  const idleMs = spanMs - sum(msOf(rest));
  const meantMs = sum(msOf([first, ...rest.slice(0, -1)]).map((ms) => Math.min(2_000, ms * 4)));
  expect(idleMs).toBeGreaterThan(meantMs / 2);
}, 60_000);

it("P9: a slow store slows the ingester, and once it is over the pace is full again", async () => {
  // No transaction with an fsync is as quick as 10 ms for 500 records: the store's time is pressure.
  const server = await serverWith(1_500, {
    MEMSPOOL_GOVERNOR_STORE_MS: "10",
    MEMSPOOL_GOVERNOR_COOL_DOWN_MS: "100",
    MEMSPOOL_GOVERNOR_FLOOR_PCT: "50",
  });
  const steps = () => named(server, "governor_changed");
  await until(() => expect(steps().at(-1)?.to).toBe("normal"), SLOWED_MS);
  expect(steps()[0]).toMatchObject({
    from: "normal",
    to: "degraded",
    share_pct: 50,
    cause: "store",
  });
  expect(steps().at(-1)).toMatchObject({ from: "recovering", to: "normal", share_pct: 100 });
  const told = (event: string) => named(server, event).filter(({ sensor }) => sensor === "store");
  expect([told("pressure_raised").length, told("pressure_relieved").length]).toEqual([1, 1]);
}, 60_000);

it("P8: a server says that it knows no stalls where this system has none, and only there", async () => {
  const reading = await readStalls(systemRoots, await cgroupDirectories(systemRoots));
  const server = await serverWith(0, {});
  const told = "errno" in reading ? [{ errno: reading.errno }] : [];
  await until(() => expect(named(server, "leader_elected")).toHaveLength(1));
  await until(() => expect(named(server, "stalls_unknown")).toMatchObject(told));
  expect(named(server, "sensor_failed")).toEqual([]);
  const endedAtMs = performance.now();
  expect(await server.close()).toEqual({ code: 0, signal: null });
  expect(performance.now() - endedAtMs).toBeLessThan(3_000);
});
