/**
 * A quota of 2 MiB on a small file system of its own, with a real server, client and store. What it
 * shows: normal, soft, hard, trim, recovery, each told once and in order, and nothing acknowledged is
 * lost on the way.
 */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CaptureStream, randomText } from "../../support/capture-stream.ts";
import { type Acknowledgement, ServerProcess } from "../../support/capturing-server.ts";
import { addCrashRow } from "../../support/crash-table.ts";
import { ageDoneFiles, doneDirOf, doneFiles } from "../../support/done-hours.ts";
import { LOG_TO_FILE, type LoggedEvent, loggedEvents } from "../../support/event-log.ts";
import { until } from "../../support/ingest-bench.ts";
import { ext4Disk } from "../../support/small-disk.ts";
import { countDamage, damage, NO_DAMAGE, storedRows } from "../../support/stored-truth.ts";

const RIG = "small quota";
const MIB = 1_048_576;
const QUOTA = { MEMSPOOL_QUOTA_MB: "2", ...LOG_TO_FILE };
const TEXT = { random: 16_000, pauseMs: 1 };

const stateOf = async (server: ServerProcess) => (await server.status()).spool.state;
const inState = (server: ServerProcess, state: string) =>
  until(async () => expect(await stateOf(server)).toBe(state));

function changes(events: readonly LoggedEvent[]): string[] {
  return events
    .filter(({ event }) => event === "backpressure_changed")
    .map(({ from, to }) => `${from} > ${to}`);
}

const count = (events: readonly LoggedEvent[], name: string) =>
  events.filter(({ event }) => event === name).length;

/** More than 85 % of the quota, where soft is left again, and less than 90, where it begins. */
const NEARLY_SOFT_BYTES = 0.865 * 2 * MIB;

/** Captures by a server without a small quota, until the archive holds so much. */
async function fillArchive(home: string, bytesMin: number): Promise<Acknowledgement[]> {
  const server = await ServerProcess.start(home);
  const acknowledged: Acknowledgement[] = [];
  for (let records = 100; sizeOf(home) < bytesMin; records = 5) {
    const surfaces = Array.from({ length: records }, () => randomText(16_000));
    acknowledged.push(...(await Promise.all(surfaces.map((surface) => server.capture(surface)))));
    await until(async () => expect((await server.status()).queue.depth).toBe(0));
  }
  await server.leave();
  return acknowledged;
}

function sizeOf(home: string): number {
  return existsSync(doneDirOf(home)) ? sum(doneFiles(home).map(({ bytes }) => bytes)) : 0;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

describe("a quota of 2 MiB on a small disk", () => {
  it("P2: normal, soft, hard, trim, recovery: told in order, cleared once, nothing lost", async (context) => {
    const home = ext4Disk(context, 96);
    const acknowledged = await fillArchive(home, NEARLY_SOFT_BYTES);
    const server = await ServerProcess.start(home, QUOTA);
    const stream = CaptureStream.start(server, { name: "fills", random: 8_000, pauseMs: 20 });
    await inState(server, "soft");
    await inState(server, "hard");
    await until(() => expect(stream.refused.length).toBeGreaterThan(1));
    const low = server.call("memory_capture", { surface: "low", priority: "low" });
    await expect(low).rejects.toThrow(/BACKPRESSURE/);
    const hard = await server.status();
    await until(() => expect(stream.unanswered.size).toBeGreaterThan(0));
    ageDoneFiles(home, 2);
    await inState(server, "normal");
    const before = stream.acknowledged.length;
    await until(() => expect(stream.acknowledged.length).toBeGreaterThan(before));
    await stream.stop();
    await until(async () => expect((await server.status()).queue.depth).toBe(0));
    await server.leave();
    acknowledged.push(...stream.acknowledged);

    expect(hard.spool).toMatchObject({ quota_mb: 2, state: "hard", soft_pct: 90, hard_pct: 100 });
    expect(hard.spool.dropped_batches).toBeGreaterThan(2);
    expect(hard).toMatchObject({ state: "failing", pressure: { state: "hard" } });
    expect(hard.reasons.join(" ")).toMatch(/The spool uses (?:1\.9|2\.0) of 2\.0 MiB/);
    const events = loggedEvents(home);
    const seen = changes(events);
    process.stderr.write(`${RIG}: ${seen.join(", ")}\n`);
    expect(seen.slice(0, 2)).toEqual(["normal > soft", "soft > hard"]);
    expect(seen.at(-1)).toMatch(/> normal$/);
    expect(count(events, "archive_trimmed")).toBeGreaterThan(0);
    expect(count(events, "backpressure_cleared")).toBe(1);
    const names = events.map(({ event }) => event);
    expect(names.indexOf("archive_trimmed")).toBeLessThan(names.indexOf("backpressure_cleared"));
    const found = damage(acknowledged, await storedRows(home));
    addRow("normal, soft, hard, trim, normal", acknowledged.length, found);
    expect(found).toEqual(NO_DAMAGE);
    for (const { message } of stream.refused) expect(message).toMatch(/BACKPRESSURE/);
  });

  it("P3: old archive files are all that fills the disk: they go by themselves, and only they", async (context) => {
    const home = ext4Disk(context, 96);
    const before = await ServerProcess.start(home);
    const acknowledged = [];
    for (const hours of [5, 4, 3]) {
      const stream = CaptureStream.start(before, { name: `${hours}`, ...TEXT });
      await until(() => expect(stream.acknowledged.length).toBeGreaterThan(60));
      await stream.stop();
      await until(async () => expect((await before.status()).queue.depth).toBe(0));
      ageDoneFiles(home, hours);
      acknowledged.push(...stream.acknowledged);
    }
    acknowledged.push(await before.capture("of this hour"));
    await until(async () => expect((await before.status()).queue.depth).toBe(0));
    await before.leave();
    const old = doneFiles(home);
    expect(sizeOf(home)).toBeGreaterThan(2 * MIB);

    const server = await ServerProcess.start(home, QUOTA);
    await until(() => expect(count(loggedEvents(home), "archive_trimmed")).toBeGreaterThan(0));
    await inState(server, "normal");
    const { pressure, spool } = await server.status();
    await server.leave();
    const left = doneFiles(home).map(({ name }) => name);
    expect(left).toEqual(old.map(({ name }) => name).slice(-left.length));
    expect(left.length).toBeGreaterThan(1);
    expect(left.length).toBeLessThan(old.length);
    expect([pressure.delayed, spool.dropped_batches]).toEqual([0, 0]);
    const found = damage(acknowledged, await storedRows(home));
    addRow("trim old files", acknowledged.length, found);
    expect(found).toEqual(NO_DAMAGE);
  });
});

function addRow(fault: string, tried: number, found: Parameters<typeof countDamage>[0][number]) {
  addCrashRow({ rig: RIG, operation: "capture and ingest", fault, tried, ...countDamage([found]) });
}
