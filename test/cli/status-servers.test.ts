/** What a command sees of a server that lives on its data directory: a real one. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import * as realApp from "../../src/app.ts";
import type { HealthReport, StatusReport } from "../../src/memory/memory.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { run } from "../support/run-program.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

const ENV = {
  MEMSPOOL_SPOOL_QUOTA_MB: "1",
  MEMSPOOL_SPOOL_WAIT_MS: "0",
  MEMSPOOL_SPOOL_DELAY_MS: "0",
  MEMSPOOL_INGEST_ENABLED: "false",
};

async function serve(home: string): Promise<ServerProcess> {
  const server = await startServer({ home, env: ENV });
  onTestFinished(async () => {
    await server.kill("SIGKILL");
  });
  return server;
}

async function call(server: ServerProcess, name: string, args: Record<string, unknown>) {
  const { structuredContent } = await server.client.callTool({ name, arguments: args });
  return structuredContent as Record<string, unknown>;
}

async function read<T>(server: ServerProcess, uri: string): Promise<T> {
  const { contents } = await server.client.readResource({ uri });
  return JSON.parse((contents[0] as { text: string }).text) as T;
}

it("P5: a server at its hard limit, its tool, its resources, status and doctor say the same", async () => {
  const home = freshDirectory();
  const done = join(home, "queue", "done");
  mkdirSync(done, { recursive: true, mode: 0o700 });
  // Of an hour to come, so that it is not trimmed.
  writeFileSync(join(done, "20991231-23-test.ndjson.gz"), Buffer.alloc(1_048_576));
  const server = await serve(home);
  const refused = 3;
  for (let n = 0; n < refused; n++) {
    const { error } = await call(server, "memory_capture", { surface: "no room" });
    expect(error).toMatchObject({ code: "BACKPRESSURE", stored: "no" });
  }
  await vi.waitFor(async () => {
    const { spool } = await call(server, "queue_status", {});
    expect(spool).toMatchObject({ quota_mb: 1, state: "hard", dropped_batches: refused });
  });
  const own = await read<StatusReport>(server, "memspool://status");
  expect(own).toMatchObject({
    state: "failing",
    spool: { state: "hard", dropped_batches: refused },
    pressure: { state: "hard", reason: expect.stringContaining("1.0 MiB") },
  });
  const health = await read<HealthReport>(server, "memspool://health");
  expect(health.checks.find(({ name }) => name === "spool")?.status).toBe("failing");

  const ask = (...argv: string[]) => run(argv, { home, app: realApp, env: ENV });
  const seen = await vi.waitFor(
    async () => {
      const status = (await ask("status", "--json")).json() as StatusReport;
      // The server writes its note once a second.
      expect(status.spool.dropped_batches).toBe(refused);
      expect(status.events.length).toBeGreaterThan(0);
      return status;
    },
    { timeout: 10_000 },
  );
  expect(seen.spool).toEqual(own.spool);
  expect(seen.pressure.since).toBe(own.pressure.since);
  expect((await ask("status")).exitCode).toBe(2);
  const doctor = (await ask("doctor", "--json")).json() as HealthReport;
  expect(doctor.status).toBe("failing");
  const names = (report: HealthReport) => report.checks.map(({ name }) => name);
  expect(names(health)).toEqual(names(doctor));
  await server.close();
  // Nobody refuses anything any more: counts go with the servers that had them.
  const alone = (await ask("status", "--json")).json() as StatusReport;
  expect(alone.spool).toMatchObject({ state: "hard", dropped_batches: 0 });
});

it("R1: captures that are refused for want of room are failing, before the disk is at its limit", async () => {
  const server = await serve(freshDirectory());
  const surface = "x".repeat(260_000);
  const state = async () => (await call(server, "queue_status", {})).state;
  for (let n = 0; n < 3; n++) await call(server, "memory_capture", { surface });
  expect(await state()).not.toBe("failing");
  const low = await call(server, "memory_capture", { surface: surface.repeat(2), priority: "low" });
  expect(low.error).toMatchObject({ code: "BACKPRESSURE" });
  expect(await state()).not.toBe("failing");
  const { error } = await call(server, "memory_capture", { surface: surface.repeat(2) });
  expect(error).toMatchObject({ code: "BACKPRESSURE" });
  expect(await call(server, "queue_status", {})).toMatchObject({
    state: "failing",
    reasons: expect.arrayContaining([expect.stringContaining("(BACKPRESSURE)")]),
  });
  await call(server, "memory_capture", { surface: "small" });
  expect(await state()).not.toBe("failing");
});

it("R1: a command tells the rate at which a server ingests, and who leads", async () => {
  const home = freshDirectory();
  const server = await startServer({ home });
  onTestFinished(async () => {
    await server.kill("SIGKILL");
  });
  const records = Array.from({ length: 60 }, (_, n) => ({ surface: `record ${n}` }));
  await call(server, "memory_capture_batch", { records });
  const status = await vi.waitFor(
    async () => {
      const found = (
        await run(["status", "--json"], { home, app: realApp })
      ).json() as StatusReport;
      expect(found.ingest_rate).toBe(1);
      return found;
    },
    { timeout: 15_000 },
  );
  expect(status.ingester.leader?.pid).toBe(server.pid);
  expect((await read<StatusReport>(server, "memspool://status")).ingest_rate).toBe(1);
  await server.close();
});
