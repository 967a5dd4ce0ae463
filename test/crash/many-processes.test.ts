import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { auditTail } from "../../src/queue/audit-read.ts";
import { markUlid } from "../../src/queue/layout.ts";
import { sortSegments } from "../../src/queue/spill-segment.ts";
import { bundleChild } from "../support/bundled-child.ts";
import { seededRandom } from "../support/capturing-server.ts";
import { addCrashRow, rounds } from "../support/crash-table.ts";
import { Crowd, type Member } from "../support/crowd.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { until } from "../support/ingest-bench.ts";
import { ownScene } from "../support/mortal-runs.ts";
import { drainAll, type MortalScene, makeStore, pendingIds } from "../support/mortal-scene.ts";
import { countDamage, damage, NO_DAMAGE, storedRows } from "../support/stored-truth.ts";

const RIG = "many processes";
const PRODUCERS = 4;
const RUN_MS = rounds(13_000, 60_000);
/** Longer than a lease (8 s) and a mark (10 s) take to become stale. */
const LONG_STOP_MS = 11_000;
const SHORT_STOP_MS_MAX = 800;
const STEP_MS_MAX = 300_000;
const isMark = (name: string) => markUlid(name) !== undefined;
/** What a producer has under way when it is killed. */
const IN_FLIGHT = 4;
/** Few enough that a leader's long stop fills the queue. */
const MAX_RECORDS = 300;
const SAMPLE_MS = 50;

async function crowdOn(): Promise<{ crowd: Crowd; home: string }> {
  const home = join(freshDirectory(), "home");
  await makeStore(ownScene(home, 0));
  return {
    crowd: new Crowd(await bundleChild("crowd-child", freshDirectory()), home, MAX_RECORDS),
    home,
  };
}

/** One thing that happens to one process. Whoever was stopped is continued before this resolves. */
async function mishap(crowd: Crowd, random: () => number, mayKillIngesters: boolean) {
  const pick = (members: Member[]) => members[Math.floor(random() * members.length)];
  const able = crowd
    .living("producer", "electing ingester", "ingester by record")
    .filter(({ stopped }) => !stopped);
  const mortal = able.filter(({ role }) => mayKillIngesters || role !== "electing ingester");
  const what = random();
  if (what < 0.4) {
    const member = pick(mortal);
    if (member) await crowd.killAndReplace(member);
  } else if (what < 0.7) {
    const member = pick(mortal);
    if (!member) return;
    crowd.stop(member);
    await pause(random() * SHORT_STOP_MS_MAX);
    crowd.continue(member);
  } else {
    const member = pick(able);
    if (member) crowd.step(member, Math.round((random() * 2 - 1) * STEP_MS_MAX));
  }
}

/** Stops whoever leads, and the one that ingests by record, until others have taken over. */
async function longStop(crowd: Crowd): Promise<void> {
  const leader = crowd.members.find(({ leads, alive }) => leads && alive);
  const marking = crowd.living("ingester by record")[0];
  const stopped = [leader, marking].filter((member) => member !== undefined);
  for (const member of stopped) crowd.stop(member);
  await pause(LONG_STOP_MS);
  for (const member of stopped) if (member.alive) crowd.continue(member);
}

/** The most pending records of any look. */
async function mostPending(scene: MortalScene, running: () => boolean): Promise<number> {
  let most = 0;
  while (running()) {
    most = Math.max(most, pendingIds(scene).length);
    await pause(SAMPLE_MS);
  }
  return most;
}

const segmentsIn = ({ layout }: MortalScene) => sortSegments(readdirSync(layout.overflowDir));

async function everythingAtOnce(crowd: Crowd, random: () => number): Promise<void> {
  const endsAt = performance.now() + RUN_MS;
  const leftMs = () => endsAt - performance.now();
  const stops = async () => {
    while (leftMs() > LONG_STOP_MS) await longStop(crowd);
  };
  const mishaps = async () => {
    while (leftMs() > 0) {
      await pause(random() * 200);
      await mishap(crowd, random, leftMs() > LONG_STOP_MS);
    }
  };
  await Promise.all([stops(), mishaps(), mishaps()]);
}

describe("many processes on one data directory", () => {
  it(
    "I3: 4 producers and 3 ingesters, killed, stopped and with stepping clocks, lose and double nothing",
    async () => {
      const seed = Date.now() % 1_000_000;
      process.stderr.write(`${RIG}: seed ${seed}\n`);
      const { crowd, home } = await crowdOn();
      await Promise.all([
        ...Array.from({ length: PRODUCERS }, () => crowd.add("producer")),
        crowd.add("electing ingester"),
        crowd.add("electing ingester"),
        crowd.add("ingester by record"),
      ]);
      await until(() => expect(crowd.members.some(({ leads }) => leads)).toBe(true));
      const scene = ownScene(home, 0);
      let running = true;
      const watching = mostPending(scene, () => running);
      await everythingAtOnce(crowd, seededRandom(seed));
      running = false;
      const most = await watching;
      await crowd.leave(crowd.living("producer"));
      await until(() => expect([...pendingIds(scene), ...segmentsIn(scene)]).toEqual([]));
      expect(crowd.failures).toEqual([]);
      const audit = [...auditTail(scene.fsSync, scene.layout, 100_000_000)];
      await crowd.leave(crowd.living("electing ingester", "ingester by record"));
      const rows = await storedRows(home);
      const { acknowledged, counts, takeOvers } = crowd;
      const found = damage(acknowledged, rows);
      expect(found, `seed ${seed}`).toEqual(NO_DAMAGE);
      expect(rows.length).toBeLessThanOrEqual(acknowledged.length + counts.kills * IN_FLIGHT);
      expect(counts.kills).toBeGreaterThan(5);
      expect(audit.length).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(MAX_RECORDS + PRODUCERS * IN_FLIGHT);
      expect(takeOvers.length).toBeGreaterThan(0);
      for (const { ms } of takeOvers) expect(ms, "take-over").toBeLessThan(15_000);
      const times = takeOvers.map(({ after, ms }) => `${ms} ms after ${after}`).join(", ");
      process.stderr.write(
        `${RIG}: ${acknowledged.length} acknowledged, ${rows.length} stored; ${counts.kills} kills, ` +
          `${counts.stops} stops, ${counts.steps} clock steps; at most ${most} pending of ` +
          `${MAX_RECORDS}, ${audit.length} spilled, ${counts.refused} refused; take-over ${times}\n`,
      );
      addCrashRow({
        rig: RIG,
        operation: "4 producers, 3 ingesters",
        fault: "SIGKILL, SIGSTOP, clock steps",
        tried: counts.kills + counts.stops + counts.steps,
        lost: found.lost.length,
        altered: found.altered.length,
        twice: found.twice.length,
      });
    },
    RUN_MS + 60_000,
  );

  it("the rig catches: an ingester that unlinks before it commits", async () => {
    const { crowd, home } = await crowdOn();
    await crowd.add("producer");
    await crowd.add("ingester that unlinks before commit");
    const random = seededRandom(7);
    let lost: string[] = [];
    for (let kills = 0; kills < 20 && lost.length === 0; kills++) {
      const before = crowd.acknowledged.length;
      await until(() => expect(crowd.acknowledged.length).toBeGreaterThan(before + 4));
      await pause(random() * 50);
      const [ingester] = crowd.living("ingester that unlinks before commit");
      await crowd.killAndReplace(ingester as Member);
      const acknowledged = [...crowd.acknowledged];
      const pending = new Set(pendingIds(ownScene(home, 0)));
      const stored = new Set((await storedRows(home)).map(({ ulid }) => ulid));
      // One that is on its way just now is found at the end.
      const missing = acknowledged.filter(({ ulid }) => !pending.has(ulid) && !stored.has(ulid));
      lost = missing.map(({ ulid }) => ulid);
    }
    await crowd.leave(crowd.living("producer", "ingester that unlinks before commit"));
    await drainAll(ownScene(home, 0));
    const found = damage(crowd.acknowledged, await storedRows(home));
    const caught = found.lost.length > 0;
    addCrashRow({
      rig: RIG,
      operation: "4 producers, 3 ingesters",
      fault: "an ingester that unlinks before commit",
      tried: crowd.counts.kills,
      lost: found.lost.length,
      altered: found.altered.length,
      twice: found.twice.length,
      caught,
    });
    expect(caught).toBe(true);
  });

  it("the rig catches: a claim that is never released", async () => {
    const { crowd, home } = await crowdOn();
    const producer = await crowd.add("producer");
    await until(() => expect(crowd.acknowledged.length).toBeGreaterThan(4));
    await crowd.leave([producer]);
    await crowd.add("ingester that never lets go");
    const scene = ownScene(home, 0);
    await until(() => expect(readdirSync(scene.layout.dir).some(isMark)).toBe(true));
    await drainAll(scene);
    expect(pendingIds(scene)).toHaveLength(1);
    const found = damage(crowd.acknowledged, await storedRows(home));
    addCrashRow({
      rig: RIG,
      operation: "4 producers, 3 ingesters",
      fault: "a claim that is never released",
      tried: 1,
      ...countDamage([found]),
      caught: found.lost.length > 0,
    });
    expect(found.lost).toEqual(pendingIds(scene));
  });
});
