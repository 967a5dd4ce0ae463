import { describe, expect, it } from "vitest";
import { type Acknowledgement, ServerProcess } from "../support/capturing-server.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { until } from "../support/ingest-bench.ts";
import { damage, NO_DAMAGE, storedRows } from "../support/stored-truth.ts";

const IN_FLIGHT = 8;

/** Captures all texts, some at a time; the first failure rejects. */
async function captureAll(server: ServerProcess, texts: string[]): Promise<Acknowledgement[]> {
  const acknowledged: Acknowledgement[] = [];
  const work = async () => {
    for (let text = texts.shift(); text !== undefined; text = texts.shift()) {
      acknowledged.push(await server.capture(text));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  return acknowledged;
}

const leads = async (server: ServerProcess) => (await server.status()).ingester.this_process_leads;

describe("several servers on one data directory", () => {
  it("Q1: 4 servers × 250 captures: no error, none lost, none twice, one ingester", async () => {
    const home = freshDirectory();
    const servers = await Promise.all([1, 2, 3, 4].map(() => ServerProcess.start(home)));
    const texts = (who: number) => Array.from({ length: 250 }, (_, n) => `${who}/${n}`);
    const acknowledged = (
      await Promise.all(servers.map((server, who) => captureAll(server, texts(who))))
    ).flat();
    expect(acknowledged).toHaveLength(1_000);
    await until(async () => expect((await servers[0]?.status())?.queue.depth).toBe(0));
    const leading = await Promise.all(servers.map(leads));
    expect(leading.filter(Boolean)).toHaveLength(1);
    const rows = await storedRows(home);
    expect(rows).toHaveLength(1_000);
    expect(damage(acknowledged, rows)).toEqual(NO_DAMAGE);
  });

  it("I3: when the leader is killed, another takes over and ingests what both had captured", async () => {
    const home = freshDirectory();
    const first = await ServerProcess.start(home);
    await first.capture("makes the queue");
    await until(async () => expect(await leads(first)).toBe(true));
    const second = await ServerProcess.start(home);
    const mine = await first.capture("of the one that dies");
    await first.kill();
    const killedAt = performance.now();
    const theirs = await second.capture("of the one that stays");
    // The bound of this wait is the requirement's: 15 s.
    await until(async () => {
      expect(await second.state(theirs.ulid)).toBe("ingested");
      expect(await second.state(mine.ulid)).toBe("ingested");
    });
    expect(await leads(second)).toBe(true);
    expect((await second.status()).ingester.leader?.pid).toBe(second.pid);
    process.stderr.write(
      `take-over after SIGKILL: ${Math.round(performance.now() - killedAt)} ms\n`,
    );
  });

  it("I7: when the leader leaves, it gives the lease back and another leads soon", async () => {
    const home = freshDirectory();
    const first = await ServerProcess.start(home);
    await first.capture("makes the queue");
    await until(async () => expect(await leads(first)).toBe(true));
    const second = await ServerProcess.start(home);
    await first.leave();
    await until(async () => expect(await leads(second)).toBe(true));
  });

  it("I4: a follower's capture is ingested by the leader, and its flush is heard there", async () => {
    const home = freshDirectory();
    const leader = await ServerProcess.start(home);
    await leader.capture("makes the queue");
    await until(async () => expect(await leads(leader)).toBe(true));
    const follower = await ServerProcess.start(home);
    const { ulid } = await follower.capture("from beside");
    expect(await leads(follower)).toBe(false);
    await until(async () => expect(await follower.state(ulid)).toBe("ingested"));
    const more = await captureAll(follower, ["a", "b", "c"]);
    expect(await follower.call("queue_flush")).toMatchObject({ remaining: 0 });
    for (const one of more) expect(await follower.state(one.ulid)).toBe("ingested");
  });

  it("I4: where nobody drains, the age of the backlog shows", async () => {
    const home = freshDirectory();
    const server = await ServerProcess.start(home, { MEMSPOOL_INGEST_ENABLED: "false" });
    await server.capture("waits");
    const first = await server.status();
    expect(first.queue.depth).toBe(1);
    await until(async () => {
      const { queue, ingester } = await server.status();
      expect(queue.oldest_age_ms).toBeGreaterThan(first.queue.oldest_age_ms ?? 0);
      expect(ingester.lag_ms).toBe(queue.oldest_age_ms);
      expect(ingester.leader).toBeNull();
    });
  });
});
