/**
 * "Never acknowledged from memory": a server is killed while it is normal, slows captures, holds them
 * in its line, or trims, and what it had acknowledged is counted on the disk it left.
 */
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { runBuilt } from "../../support/built-program.ts";
import { CaptureStream } from "../../support/capture-stream.ts";
import { ageLease, ServerProcess, seededRandom } from "../../support/capturing-server.ts";
import { addCrashRow, rounds } from "../../support/crash-table.ts";
import { ageDoneFiles } from "../../support/done-hours.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { until } from "../../support/ingest-bench.ts";
import { countDamage, damage, NO_DAMAGE, storedRows } from "../../support/stored-truth.ts";

const RIG = "killed under pressure";
const ROUNDS = rounds(1, 12);
const SEED = Number(process.env.MEMSPOOL_CRASH_SEED ?? Date.now() % 1_000_000_007);
const ENV = { MEMSPOOL_QUOTA_MB: "1", MEMSPOOL_SPOOL_FREE_MB_MIN: "0" };
/** What a stream has under way. */
const IN_FLIGHT = 16;
const random = seededRandom(SEED);

const inState = (server: ServerProcess, ...states: string[]) =>
  until(async () => expect(states).toContain((await server.status()).spool.state));

/** Brings a server that is being captured to into the state in which it dies. */
const WAYS: Readonly<Record<string, (server: ServerProcess, home: string) => Promise<void>>> = {
  normal: (server) => inState(server, "normal"),
  soft: (server) => inState(server, "soft"),
  hard: (server) => inState(server, "hard"),
  trimming: async (server, home) => {
    await inState(server, "hard");
    ageDoneFiles(home, 2);
  },
};

async function killedIn(state: string) {
  const home = freshDirectory();
  const server = await ServerProcess.start(home, ENV);
  const name = `${state}-${Math.floor(random() * 1e9)}`;
  const stream = CaptureStream.start(server, { name, random: 8_000, inFlight: IN_FLIGHT });
  await until(() => expect(stream.acknowledged.length).toBeGreaterThan(5));
  await WAYS[state]?.(server, home);
  await pause(random() * 200);
  const unanswered = [...stream.unanswered];
  await server.kill();
  await stream.stop();
  ageLease(home);
  const drained = await runBuilt(["drain"], { home });
  expect(drained.exitCode, drained.stderr).toBe(0);
  const rows = await storedRows(home);
  return { stream, unanswered, rows, found: damage(stream.acknowledged, rows) };
}

describe("SIGKILL in every state of pressure", () => {
  it.each(Object.keys(WAYS))(
    "P2: %s: whatever was acknowledged is in the store afterwards",
    async (state) => {
      const all = [];
      for (let round = 0; round < ROUNDS; round++) {
        const { stream, rows, found } = await killedIn(state);
        expect(found, `MEMSPOOL_CRASH_SEED=${SEED}`).toEqual(NO_DAMAGE);
        // What was on its way may have come to disk without its answer, and nothing else may.
        expect(rows.length).toBeLessThanOrEqual(stream.acknowledged.length + IN_FLIGHT);
        all.push({ found, count: stream.acknowledged.length });
      }
      addCrashRow({
        rig: RIG,
        operation: "capture and ingest",
        fault: `SIGKILL while ${state}`,
        tried: all.reduce((sum, { count }) => sum + count, 0),
        ...countDamage(all.map(({ found }) => found)),
      });
    },
    30_000 + ROUNDS * 20_000,
  );

  it("the rig catches: a line whose captures count as acknowledged", async () => {
    const { stream, unanswered, rows } = await killedIn("hard");
    const stored = new Set(rows.map(({ surface }) => surface));
    const lost = unanswered.filter((surface) => !stored.has(surface)).length;
    addCrashRow({
      rig: RIG,
      operation: "capture and ingest",
      fault: "captures in the line taken for acknowledged",
      tried: stream.acknowledged.length + unanswered.length,
      ...{ lost, altered: 0, twice: 0 },
      caught: lost > 0,
    });
    expect(lost).toBeGreaterThan(0);
  });
});
