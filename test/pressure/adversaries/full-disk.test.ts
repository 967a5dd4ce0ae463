/**
 * A disk that others fill: captures are held up and refused while its free space is below the limit,
 * and go on by themselves when there is space again.
 */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CaptureStream } from "../../support/capture-stream.ts";
import { ServerProcess } from "../../support/capturing-server.ts";
import { LOG_TO_FILE, loggedEvents } from "../../support/event-log.ts";
import { until } from "../../support/ingest-bench.ts";
import { ext4Disk, fillDisk } from "../../support/small-disk.ts";
import { damage, NO_DAMAGE, storedRows } from "../../support/stored-truth.ts";

const MIB = 1_048_576;
const ENV = { ...LOG_TO_FILE, MEMSPOOL_SPOOL_FREE_MB_MIN: "8", MEMSPOOL_SPOOL_WAIT_MS: "500" };

/** Takes space until about so much is left. */
function fillUpTo(disk: string, leftBytes: number): string {
  const { bavail, bsize } = statfsSync(disk);
  const filler = join(disk, "filler");
  const fd = openSync(filler, "w");
  writeSync(fd, Buffer.alloc(bavail * bsize - leftBytes, 1));
  fsyncSync(fd);
  closeSync(fd);
  return filler;
}

const inState = (server: ServerProcess, state: string) =>
  until(async () => expect((await server.status()).spool.state).toBe(state));

describe("a disk that others fill", () => {
  it("P1: below the limit of free space captures wait and are refused; they go on when it is back", async (context) => {
    const home = ext4Disk(context, 32);
    const server = await ServerProcess.start(home, ENV);
    const stream = CaptureStream.start(server, { name: "a" });
    await until(() => expect(stream.acknowledged.length).toBeGreaterThan(20));
    const filler = fillUpTo(home, 5 * MIB);
    await inState(server, "hard");
    const { reasons, pressure } = await server.status();
    await until(() => expect(stream.refused.length).toBeGreaterThan(0));
    rmSync(filler);
    await inState(server, "normal");
    const before = stream.acknowledged.length;
    await until(() => expect(stream.acknowledged.length).toBeGreaterThan(before));
    await stream.stop();
    await until(async () => expect((await server.status()).queue.depth).toBe(0));
    await server.leave();
    expect(`${reasons.join(" ")} ${pressure.reason}`).toMatch(/MiB free, less than 8/);
    // Whatever was under way when the space went may have met the disk's own answer.
    for (const { message } of stream.refused) expect(message).toMatch(/BACKPRESSURE|ENOSPC/);
    expect(stream.refused.some(({ message }) => message.includes("BACKPRESSURE"))).toBe(true);
    expect(damage(stream.acknowledged, await storedRows(home))).toEqual(NO_DAMAGE);
    const cleared = loggedEvents(home).filter(({ event }) => event === "backpressure_cleared");
    expect(cleared).toHaveLength(1);
  });

  it("Q4: filled to the last byte, and without a limit of free space: refused, never acknowledged", async (context) => {
    const home = ext4Disk(context, 32);
    const server = await ServerProcess.start(home, {
      MEMSPOOL_SPOOL_FREE_MB_MIN: "0",
      MEMSPOOL_SPOOL_FREE_INODES_MIN: "0",
    });
    const stream = CaptureStream.start(server, { name: "b", textLength: 8_000 });
    await until(() => expect(stream.acknowledged.length).toBeGreaterThan(20));
    const filler = fillDisk(home);
    await until(() => expect(stream.refused.length).toBeGreaterThan(20));
    rmSync(filler);
    const before = stream.acknowledged.length;
    await until(() => expect(stream.acknowledged.length).toBeGreaterThan(before + 20));
    await stream.stop();
    await until(async () => expect((await server.status()).queue.depth).toBe(0));
    await server.leave();
    expect(damage(stream.acknowledged, await storedRows(home))).toEqual(NO_DAMAGE);
  });
});
