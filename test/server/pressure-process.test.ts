/** The built server under pressure, as a real process with a real client. */
import { describe, expect, it, onTestFinished } from "vitest";
import { countOf, FilledSpool, type Told, tell } from "../support/filled-spool.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

async function start(
  spool: FilledSpool,
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const server = await startServer({ home: spool.home, env: { ...spool.env, ...env } });
  onTestFinished(() => void server.child.kill("SIGKILL"));
  return server;
}

const sendMany = (server: ServerProcess, count: number, priority = "normal") =>
  Array.from({ length: count }, (_, n) =>
    tell(server.client, { surface: `${priority} ${n}`, priority }),
  );

/** What was acknowledged and is not on disk as it was sent. */
function missing(spool: FilledSpool, told: readonly Told[]): Told[] {
  const pending = spool.pending();
  return told.filter(({ ulid, surface }) => ulid !== undefined && pending.get(ulid) !== surface);
}

describe("the server under pressure", () => {
  it("P2: soft slows a capture, and a batch once, while questions are answered", async () => {
    const spool = new FilledSpool();
    spool.fill(950);
    const server = await start(spool);
    const one = await tell(server.client, { surface: "slowed" });
    expect(one.ulid).toBeDefined();
    expect(one.ms).toBeGreaterThanOrEqual(299);
    const many = sendMany(server, 20);
    let answered = 0;
    const asking = server.client.callTool({ name: "memory_recent", arguments: {} }).then(() => {
      answered = performance.now();
    });
    const told = await Promise.all(many.map((each) => each.then((t) => [t, performance.now()])));
    await asking;
    expect(answered).toBeLessThan(Math.min(...told.map(([, at]) => at as number)));
    expect(countOf(told.map(([t]) => t as Told))).toEqual({ captured: 20 });
    // One after another they would take six seconds.
    expect(Math.max(...told.map(([t]) => (t as Told).ms))).toBeLessThan(5_000);
  });

  it("P2: hard refuses low priority, lets the others wait, and admits them when there is room", async () => {
    const spool = new FilledSpool();
    spool.fill(1_024);
    // A busy machine looks at its disk less often.
    const server = await start(spool, { MEMSPOOL_SPOOL_WAIT_MS: "30000" });
    const low = await tell(server.client, { surface: "low", priority: "low" });
    expect(low.reason).toBe("quota");
    const waiting = [...sendMany(server, 2), ...sendMany(server, 2, "high")];
    const lows = await Promise.all(sendMany(server, 3, "low"));
    expect(countOf(lows)).toEqual({ quota: 3 });
    expect(spool.pending().size).toBe(0);
    spool.empty();
    expect(countOf(await Promise.all(waiting))).toEqual({ captured: 4 });
    const late = await tell(server.client, { surface: "after" });
    expect(late.ulid).toBeDefined();
  });

  it("P2: who waits in vain is told to come again, and nothing of it is stored", async () => {
    const spool = new FilledSpool();
    spool.fill(1_024);
    const server = await start(spool, { MEMSPOOL_SPOOL_WAIT_RECORDS: "4" });
    const told = await Promise.all(sendMany(server, 6));
    expect(countOf(told)).toEqual({ quota: 4, line: 2 });
    for (const { reason, ms } of told) {
      if (reason === "quota") expect(ms).toBeGreaterThanOrEqual(1_999);
    }
    expect(spool.pending().size).toBe(0);
  });

  it.each([
    ["SIGTERM", (server: ServerProcess) => server.kill("SIGTERM")],
    ["the end of stdin", (server: ServerProcess) => server.close()],
  ])("P2: %s in hard answers every call, and loses nothing and no count", async (_name, end) => {
    const spool = new FilledSpool();
    const earlier = await start(spool);
    const before = await Promise.all(sendMany(earlier, 10));
    await earlier.close();
    spool.fill(1_024);
    const server = await start(spool);
    const waiting = sendMany(server, 32, "high");
    // Answered behind those: they have arrived.
    await server.client.callTool({ name: "queue_status", arguments: {} });
    const { code } = await end(server);
    const told = [...before, ...(await Promise.all(waiting))];
    expect(code).toBe(0);
    expect(countOf(told)).toEqual({ captured: 10, quota: 32 });
    expect(missing(spool, told)).toEqual([]);
    expect(spool.pending().size).toBe(10);
  });

  it("P2: SIGTERM in soft lets those in who were only slowed", async () => {
    const spool = new FilledSpool();
    spool.fill(950);
    const server = await start(spool, { MEMSPOOL_SPOOL_DELAY_MS: "10000" });
    const slowed = sendMany(server, 16);
    await server.client.callTool({ name: "queue_status", arguments: {} });
    expect((await server.kill("SIGTERM")).code).toBe(0);
    const told = await Promise.all(slowed);
    expect(countOf(told)).toEqual({ captured: 16 });
    expect(missing(spool, told)).toEqual([]);
  });

  it("P9: a full queue refuses some of low priority and none of the others", async () => {
    const spool = new FilledSpool();
    const settings = { MEMSPOOL_SPOOL_QUOTA_MB: "512", MEMSPOOL_QUEUE_MAX_RECORDS: "100" };
    const server = await start(spool, { ...settings, MEMSPOOL_EARLY_DROP_REFUSE_PCT: "100" });
    expect(countOf(await Promise.all(sendMany(server, 100)))).toEqual({ captured: 100 });
    const [lows, highs] = await Promise.all([
      Promise.all(sendMany(server, 60, "low")),
      Promise.all(sendMany(server, 20, "high")),
    ]);
    expect(countOf(highs)).toEqual({ captured: 20 });
    // At 90 % fill, the least that spilling leaves, three of four are refused.
    expect(countOf(lows).early_drop).toBeGreaterThan(30);
  });
});

describe("never acknowledged from memory", () => {
  it.each([
    ["normal", 0],
    ["soft", 950],
    ["hard", 1_024],
  ] as const)(
    "P2: kill -9 in %s with calls in flight: what was acknowledged is on disk",
    async (state, kib) => {
      for (let round = 0; round < 3; round++) {
        const spool = new FilledSpool();
        if (kib > 0) spool.fill(kib);
        const waits = { MEMSPOOL_SPOOL_DELAY_MS: "50", MEMSPOOL_SPOOL_WAIT_MS: "30000" };
        const server = await start(spool, waits);
        const acknowledged: Told[] = [];
        let killed = () => {};
        const some = new Promise<void>((resolve) => {
          killed = resolve;
        });
        const sending = Array.from({ length: 48 }, async (_, n) => {
          const told = await tell(server.client, { surface: `${round} ${n}`, priority: "high" });
          if (told.ulid === undefined) return;
          acknowledged.push(told);
          if (acknowledged.length > round * 8) killed();
        });
        if (state === "hard") {
          await server.client.callTool({ name: "queue_status", arguments: {} });
          expect(acknowledged).toEqual([]);
          if (round > 0) {
            spool.empty(); // the line is let in, and the process dies in the midst of it
            await some;
          }
        } else await some;
        await server.kill("SIGKILL");
        await Promise.all(sending);
        expect(missing(spool, acknowledged)).toEqual([]);
        if (state === "hard" && round === 0) expect(spool.pending().size).toBe(0);
        else expect(acknowledged.length).toBeGreaterThan(0);
      }
    },
  );
});
