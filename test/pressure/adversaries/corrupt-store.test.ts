/**
 * A store file whose bytes are overwritten while a server has it open. Captures go on, the damage is
 * told by status, log and doctor, and a rebuild brings back everything that was acknowledged.
 */
import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, expect, it } from "vitest";
import { runBuilt } from "../../support/built-program.ts";
import { CaptureStream } from "../../support/capture-stream.ts";
import { ServerProcess } from "../../support/capturing-server.ts";
import { addCrashRow } from "../../support/crash-table.ts";
import { LOG_TO_FILE, loggedEvents } from "../../support/event-log.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { until } from "../../support/ingest-bench.ts";
import { storeFileOf } from "../../support/store-holder.ts";
import { countDamage, damage, NO_DAMAGE, storedRows } from "../../support/stored-truth.ts";

const PAGE = 4_096;
const GARBAGE = 0xa5;

/** Empties the log into the file first, so that what is overwritten is all there is. */
function overwrite(file: string, fromPage: number, untilPage?: number): void {
  const db = new DatabaseSync(file, { timeout: 10_000 });
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
  const fd = openSync(file, "r+");
  const end = untilPage === undefined ? fstatSync(fd).size : untilPage * PAGE;
  writeSync(fd, Buffer.alloc(end - fromPage * PAGE, GARBAGE), 0, undefined, fromPage * PAGE);
  closeSync(fd);
}

describe("a store file that turns corrupt under a server", () => {
  it.for<[string, (file: string) => void, string]>([
    ["every page but the first", (file) => overwrite(file, 1), "corrupt"],
    ["its first page", (file) => overwrite(file, 0, 1), "notadb"],
  ])(
    "I8: %s: captures go on, it is told loudly, and a rebuild brings all back",
    async ([what, spoil, reason]) => {
      const home = freshDirectory();
      const server = await ServerProcess.start(home, LOG_TO_FILE);
      const before = CaptureStream.start(server, { name: "before", textLength: 2_000 });
      await until(() => expect(before.acknowledged.length).toBeGreaterThan(150));
      await before.stop();
      await until(async () => expect((await server.status()).queue.depth).toBe(0));

      spoil(storeFileOf(home));
      const during = CaptureStream.start(server, { name: "during" });
      await until(async () => {
        const { state, reasons } = await server.status();
        expect(state).toBe("degraded");
        expect(reasons.join(" ")).toContain(`STORE_UNAVAILABLE: ${reason}`);
      });
      const count = during.acknowledged.length;
      await until(() => expect(during.acknowledged.length).toBeGreaterThan(count + 50));
      await during.stop();
      const doctor = await runBuilt(["doctor"], { home });
      await server.leave();
      const rebuilt = await runBuilt(["rebuild"], { home });
      expect(rebuilt.exitCode, rebuilt.stderr).toBe(0);
      const drained = await runBuilt(["drain"], { home });
      expect(drained.exitCode, drained.stderr).toBe(0);

      const acknowledged = [...before.acknowledged, ...during.acknowledged];
      const found = damage(acknowledged, await storedRows(home));
      addCrashRow({
        rig: "store away",
        operation: "capture, ingest, rebuild",
        fault: `${what} of the store overwritten`,
        tried: acknowledged.length,
        ...countDamage([found]),
      });
      expect(found).toEqual(NO_DAMAGE);
      expect([...before.refused, ...during.refused]).toEqual([]);
      expect(doctor.exitCode).toBe(2);
      expect(doctor.stdout.toString("utf8")).toContain("memspool rebuild");
      const told = loggedEvents(home).find(({ event }) => event === "store_unavailable");
      expect(told).toMatchObject({ level: "error", reason });
    },
  );

  it("the rig catches: a damaged store that nobody rebuilds", async () => {
    const home = freshDirectory();
    const server = await ServerProcess.start(home);
    const stream = CaptureStream.start(server, { name: "before", textLength: 2_000 });
    await until(() => expect(stream.acknowledged.length).toBeGreaterThan(150));
    await stream.stop();
    await until(async () => expect((await server.status()).queue.depth).toBe(0));
    await server.leave();
    overwrite(storeFileOf(home), 1);
    await expect(storedRows(home)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});
