import { describe, expect, it } from "vitest";
import { runBuilt } from "../support/built-program.ts";
import {
  type Acknowledgement,
  ageLease,
  ServerProcess,
  seededRandom,
} from "../support/capturing-server.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { until } from "../support/ingest-bench.ts";
import { damage, NO_DAMAGE, storedRows } from "../support/stored-truth.ts";

const ROUNDS = 20;
const IN_FLIGHT = 8;
/** From the first capture on, or from the first record that was ingested. */
const LIFE_MS_MAX = 300;
/** What a careless path from client to store would change. */
const AWKWARD = ["\u0000", "\ud800", "e\u0301", "👩‍👩‍👧", "\r\n", "\u202e", "x".repeat(20_000)];

/** Captures until the server dies; resolves with what it acknowledged. */
async function captureUntilDeath(
  server: ServerProcess,
  texts: () => string,
): Promise<Acknowledgement[]> {
  const acknowledged: Acknowledgement[] = [];
  const one = async () => {
    for (;;) acknowledged.push(await server.capture(texts()));
  };
  await Promise.allSettled(Array.from({ length: IN_FLIGHT }, one));
  return acknowledged;
}

describe("SIGKILL at random moments", () => {
  it("I1: 20 rounds under 8 concurrent captures lose, alter and double nothing that was acknowledged", async () => {
    const seed = Date.now() % 1_000_000;
    process.stderr.write(`kill rounds: seed ${seed}\n`);
    const random = seededRandom(seed);
    const home = freshDirectory();
    const acknowledged: Acknowledgement[] = [];
    let count = 0;
    const texts = () => `${++count} ${AWKWARD[count % AWKWARD.length]}`;
    let roundsLed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      // Small batches keep the ingester at work all the time.
      const server = await ServerProcess.start(home, { MEMSPOOL_INGEST_BATCH_RECORDS: "3" });
      const capturing = captureUntilDeath(server, texts);
      // Half of the servers die while they ingest, the others whenever: most before they lead.
      if (round % 2 === 0) {
        await until(async () =>
          expect((await server.status()).counters.ingested).toBeGreaterThan(0),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, random() * LIFE_MS_MAX));
      await server.kill();
      acknowledged.push(...(await capturing));
      if (ageLease(home)) roundsLed++;
    }
    const ingestedBetweenKills = (await storedRows(home)).length;
    const drain = await runBuilt(["drain", "--json"], { home });
    expect(JSON.parse(drain.stdout.toString()), `seed ${seed}`).toMatchObject({
      remaining: 0,
      quarantined: 0,
    });
    const rows = await storedRows(home);
    expect(roundsLed).toBeGreaterThanOrEqual(ROUNDS / 2);
    expect(ingestedBetweenKills).toBeGreaterThanOrEqual(ROUNDS / 2);
    expect(acknowledged.length).toBeGreaterThan(ROUNDS);
    expect(damage(acknowledged, rows), `seed ${seed}`).toEqual(NO_DAMAGE);
    // What was captured and not acknowledged may be there, and nothing else.
    expect(rows.length).toBeLessThanOrEqual(acknowledged.length + ROUNDS * IN_FLIGHT);
    process.stderr.write(
      `kill rounds: ${acknowledged.length} acknowledged, ${roundsLed} rounds led, ` +
        `${ingestedBetweenKills} ingested between kills, ${rows.length} stored\n`,
    );
  }, 60_000);

  it("I1: the comparison notices a lost, an altered and a doubled record", () => {
    const acknowledged = ["a", "b", "c"].map((surface) => ({ ulid: `U${surface}`, surface }));
    const rows = [
      { ulid: "Ua", surface: "a" },
      { ulid: "Ub", surface: "b\ufffd" },
      { ulid: "Ud", surface: "a" },
    ];
    expect(damage(acknowledged, rows)).toEqual({ lost: ["Uc"], altered: ["Ub"], twice: ["a"] });
    expect(damage(acknowledged, acknowledged)).toEqual(NO_DAMAGE);
  });
});
