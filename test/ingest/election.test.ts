import { existsSync, mkdirSync, rmdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { Election, LEASE_STALE_MS, leaseIsHeld } from "../../src/ingest/election.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { until } from "../support/ingest-bench.ts";

function bench() {
  const layout = queueLayout(freshDirectory());
  mkdirSync(layout.ingesterDir);
  const said: string[] = [];
  const candidate = (name: string) => {
    const election = new Election({
      layout,
      clock: systemClock,
      fs: nodeDurableFsSync,
      onElected: () => said.push(`${name} elected`),
      onLost: (reason) => said.push(`${name} ${reason}`),
    });
    onTestFinished(() => election.stop());
    return election;
  };
  return { layout, said, candidate };
}

function age(path: string, ageMs: number): void {
  const seconds = (Date.now() - ageMs) / 1_000;
  utimesSync(path, seconds, seconds);
}

describe("Election", () => {
  it("I3: one leads, and stays the leader when it tries again", async () => {
    const { layout, said, candidate } = bench();
    const one = candidate("one");
    expect(await leaseIsHeld(layout)).toBe(false);
    expect([await one.try(), await one.try(), one.leads]).toEqual([true, true, true]);
    expect(said).toEqual(["one elected"]);
    expect(await leaseIsHeld(layout)).toBe(true);
  });

  it("I3: while a lease is fresh nobody else is elected; given back, it is free at once", async () => {
    const { layout, said, candidate } = bench();
    const one = candidate("one");
    mkdirSync(layout.leasePath); // another process's
    expect(await one.try()).toBe(false);
    rmdirSync(layout.leasePath);
    expect(await one.try()).toBe(true);
    await one.resign();
    expect([one.leads, existsSync(layout.leasePath)]).toEqual([false, false]);
    expect(await candidate("two").try()).toBe(true);
    expect(said).toEqual(["one elected", "two elected"]);
  });

  it("I3: a second candidate of this process stays a follower", async () => {
    const { candidate } = bench();
    expect(await candidate("one").try()).toBe(true);
    expect(await candidate("two").try()).toBe(false);
  });

  it("I3: the lease of a dead leader is taken over once it is stale, not before", async () => {
    const { layout, candidate } = bench();
    mkdirSync(layout.leasePath);
    age(layout.leasePath, LEASE_STALE_MS - 2_000);
    const one = candidate("one");
    expect(await one.try()).toBe(false);
    age(layout.leasePath, LEASE_STALE_MS + 500);
    expect(await one.try()).toBe(true);
  });

  it("I3: a lease dated ahead is stale; one a moment ahead is not", async () => {
    const { layout, candidate } = bench();
    mkdirSync(layout.leasePath);
    age(layout.leasePath, -2_000);
    const one = candidate("one");
    expect(await one.try()).toBe(false);
    age(layout.leasePath, -3_600_000);
    expect(await one.try()).toBe(true);
  });

  it("I3: a file in the lease's place keeps the queue without a leader only until it is stale", async () => {
    const { layout, candidate } = bench();
    writeFileSync(layout.leasePath, "");
    const one = candidate("one");
    expect(await one.try()).toBe(false);
    age(layout.leasePath, 60_000);
    expect(await one.try()).toBe(true);
  });

  it("I3: no directory to hold the lease is no lease and no failure", async () => {
    const { layout, candidate } = bench();
    rmSync(layout.ingesterDir, { recursive: true });
    const one = candidate("one");
    expect([await one.try(), await leaseIsHeld(layout)]).toEqual([false, false]);
    mkdirSync(layout.ingesterDir);
    expect(await one.try()).toBe(true);
  });

  it.each<[string, (lease: string) => void]>([
    ["removed", (lease) => rmdirSync(lease)],
    [
      "taken over by another",
      (lease) => {
        rmdirSync(lease);
        mkdirSync(lease);
      },
    ],
  ])(
    "I3: a lease that is %s under its leader is told as compromised, and nothing is thrown",
    async (_, harm) => {
      const { layout, said, candidate } = bench();
      const one = candidate("one");
      await one.try();
      harm(layout.leasePath);
      await until(() => expect(said).toEqual(["one elected", "one compromised"]));
      expect(one.leads).toBe(false);
      await one.stop();
      expect(said).toHaveLength(2);
    },
  );

  it("I3: a candidate that was started stands again and again until it leads", async () => {
    const { layout, said, candidate } = bench();
    mkdirSync(layout.leasePath);
    const one = candidate("one");
    one.start();
    one.start();
    expect(await one.try()).toBe(false);
    rmdirSync(layout.leasePath);
    await until(() => expect(said).toEqual(["one elected"]));
  });

  it("I7: stopping waits for a lease that is being given back already", async () => {
    const { layout, candidate } = bench();
    const one = candidate("one");
    await one.try();
    const order: string[] = [];
    const resigning = one.resign().then(() => order.push("given back"));
    await Promise.all([resigning, one.stop().then(() => order.push("stopped"))]);
    expect(order).toEqual(["given back", "stopped"]);
    expect(existsSync(layout.leasePath)).toBe(false);
  });

  it("I7: stopping gives the lease back, also one that was just being taken, and is idempotent", async () => {
    const { layout, said, candidate } = bench();
    const one = candidate("one");
    const trying = one.try();
    await Promise.all([one.stop(), one.stop()]);
    expect(await trying).toBe(false);
    expect(existsSync(layout.leasePath)).toBe(false);
    one.start();
    expect(await one.try()).toBe(false);
    expect(said).toEqual([]);
  });
});
