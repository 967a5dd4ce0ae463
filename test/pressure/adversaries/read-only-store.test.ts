/**
 * A store whose files can not be written to any more while a server has them open, and then can
 * again: what a disk does that the kernel remounts read-only, or an administrator who locks a file.
 */
import { describe, expect, it } from "vitest";
import { runBuilt } from "../../support/built-program.ts";
import { CaptureStream } from "../../support/capture-stream.ts";
import { ServerProcess } from "../../support/capturing-server.ts";
import { addCrashRow } from "../../support/crash-table.ts";
import { eventOrder, LOG_TO_FILE, loggedEvents } from "../../support/event-log.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { makeImmutable } from "../../support/immutable-files.ts";
import { until } from "../../support/ingest-bench.ts";
import { storeFileOf } from "../../support/store-holder.ts";
import { countDamage, damage, NO_DAMAGE, storedRows } from "../../support/stored-truth.ts";

const STORY = ["store_unavailable", "ingest_delayed", "store_recovered"];
/** A wait of the back-off grows to 30 s; a few failures need no more than some seconds. */
const COMES_BACK_MS = 40_000;

describe("a store that turns read-only", () => {
  it("I8: captures go on, status and doctor say so, ingestion comes back by itself", async (context) => {
    const home = freshDirectory();
    const server = await ServerProcess.start(home, LOG_TO_FILE);
    const before = await server.capture("before");
    await until(async () => expect(await server.state(before.ulid)).toBe("ingested"));

    const store = storeFileOf(home);
    const files = makeImmutable(context, [store, `${store}-wal`, `${store}-shm`]);
    const during = CaptureStream.start(server, { name: "during" });
    await until(async () => {
      const { state, reasons, ingester } = await server.status();
      expect(state).toBe("degraded");
      expect(ingester.delayed?.failures).toBeGreaterThan(2);
      expect(reasons.join(" ")).toMatch(/STORE_UNAVAILABLE: (?:ioerr|readonly|perm|cantopen)/);
    });
    const doctor = await runBuilt(["doctor", "--json"], { home });
    const count = during.acknowledged.length;
    await until(() => expect(during.acknowledged.length).toBeGreaterThan(count + 50));
    files.release();
    await during.stop();

    await until(async () => expect((await server.status()).queue.depth).toBe(0), COMES_BACK_MS);
    expect((await server.status()).ingester.delayed).toBeNull();
    await server.leave();
    const acknowledged = [before, ...during.acknowledged];
    const found = damage(acknowledged, await storedRows(home));
    addCrashRow({
      rig: "store away",
      operation: "capture and ingest",
      fault: "store files that turn read-only",
      tried: acknowledged.length,
      ...countDamage([found]),
    });
    expect(found).toEqual(NO_DAMAGE);
    expect(during.refused).toEqual([]);
    expect(eventOrder(loggedEvents(home), STORY)).toEqual(STORY);
    expect(doctor.exitCode).toBe(1);
    expect(doctor.stdout.toString("utf8")).toMatch(/ingester waits after .* since /);
  });
});
