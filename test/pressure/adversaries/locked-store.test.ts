/**
 * A store whose write lock another program holds for a long time. What it shows: captures go on as if
 * nothing were, it is said what is away, and everything arrives by itself, once.
 */
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { bundleChild } from "../../support/bundled-child.ts";
import { CaptureStream, percentile } from "../../support/capture-stream.ts";
import { ServerProcess } from "../../support/capturing-server.ts";
import { addCrashRow, rounds } from "../../support/crash-table.ts";
import { Crowd } from "../../support/crowd.ts";
import { eventOrder, LOG_TO_FILE, loggedEvents } from "../../support/event-log.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { until } from "../../support/ingest-bench.ts";
import { ownScene } from "../../support/mortal-runs.ts";
import { drainAll, makeStore, pendingIds } from "../../support/mortal-scene.ts";
import { holdStore } from "../../support/store-holder.ts";
import { countDamage, damage, NO_DAMAGE, storedRows } from "../../support/stored-truth.ts";

const RIG = "store away";
const FAULT = "write lock held by another program";
/** Longer than one round of tries (4 × 1 s), so that the ingester has to give up and wait. */
const LOCKED_MS = rounds(6_000, 60_000);
/** A wait of the back-off (30 s at most) and the tries behind it. */
const COMES_BACK_MS = 60_000;
const STORY = ["store_unavailable", "ingest_delayed", "store_recovered"];

describe("a store that is locked", () => {
  it(
    "I8: captures go on, status says what is away, ingestion comes back by itself",
    async () => {
      const home = freshDirectory();
      const server = await ServerProcess.start(home, LOG_TO_FILE);
      const before = CaptureStream.start(server, { name: "before" });
      await until(() => expect(before.acknowledged.length).toBeGreaterThan(100));
      await before.stop();
      await until(async () => expect((await server.status()).queue.depth).toBe(0));

      const holder = await holdStore(home);
      const lockedAtMs = Date.now();
      const during = CaptureStream.start(server, { name: "during", pauseMs: rounds(5, 25) });
      await until(async () => expect((await server.status()).ingester.delayed).not.toBeNull());
      await pause(LOCKED_MS - (Date.now() - lockedAtMs));
      const whileLocked = during.acknowledged.length;
      const locked = await server.status();
      await during.stop();
      await holder.release();

      await until(async () => {
        const { queue } = await server.status();
        expect(queue.depth + queue.spilled).toBe(0);
      }, COMES_BACK_MS);
      const after = await server.capture("after");
      await until(async () => expect(await server.state(after.ulid)).toBe("ingested"));
      expect((await server.status()).ingester.delayed).toBeNull();
      await server.leave();

      const acknowledged = [...before.acknowledged, ...during.acknowledged, after];
      const found = damage(acknowledged, await storedRows(home));
      const ms = (stream: CaptureStream, share: number) =>
        percentile(stream.ackMs, share).toFixed(1);
      process.stderr.write(
        `${RIG}: ${whileLocked} captured in ${LOCKED_MS / 1_000} s of a locked store, p50 ` +
          `${ms(during, 0.5)} ms (${ms(before, 0.5)} before), p99 ${ms(during, 0.99)} ms ` +
          `(${ms(before, 0.99)})\n`,
      );
      addCrashRow({
        rig: RIG,
        operation: "capture and ingest",
        fault: FAULT,
        tried: acknowledged.length,
        ...countDamage([found]),
      });
      expect(found).toEqual(NO_DAMAGE);
      expect([...before.refused, ...during.refused]).toEqual([]);
      // All of them waited for the store, and none of them for the lock.
      const { depth, spilled } = locked.queue;
      expect(depth + spilled).toBeGreaterThanOrEqual(whileLocked);
      expect(locked.state).toBe("degraded");
      expect(locked.reasons.join(" ")).toMatch(/STORE_UNAVAILABLE: busy\), since /);
      const { since = "" } = locked.ingester.delayed ?? {};
      expect(Date.parse(since)).toBeGreaterThanOrEqual(lockedAtMs);
      const events = loggedEvents(home);
      expect(eventOrder(events, STORY)).toEqual(STORY);
      expect(events.find(({ event }) => event === "store_unavailable")?.reason).toBe("busy");
    },
    LOCKED_MS + COMES_BACK_MS + 30_000,
  );

  it("the rig catches: an ingester that unlinks before it commits", async () => {
    const home = freshDirectory();
    await makeStore(ownScene(home, 0));
    const crowd = new Crowd(await bundleChild("crowd-child", freshDirectory()), home, 1_000);
    const ingester = await crowd.add("ingester that unlinks before commit");
    const producer = await crowd.add("producer");
    await until(() => expect(crowd.acknowledged.length).toBeGreaterThan(10));
    const holder = await holdStore(home);
    const count = crowd.acknowledged.length;
    await until(() => expect(crowd.acknowledged.length).toBeGreaterThan(count + 10));
    ingester.child.kill("SIGKILL");
    await crowd.leave([producer]);
    await holder.release();
    await drainAll(ownScene(home, 0));
    expect(pendingIds(ownScene(home, 0))).toEqual([]);
    const found = damage(crowd.acknowledged, await storedRows(home));
    addCrashRow({
      rig: RIG,
      operation: "capture and ingest",
      fault: "an ingester that unlinks before commit, killed at the lock",
      tried: crowd.acknowledged.length,
      ...countDamage([found]),
      caught: found.lost.length > 0,
    });
    expect(found.lost.length).toBeGreaterThan(0);
  });
});
