/** What a running server records and tells of itself, seen from outside. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, it, onTestFinished } from "vitest";
import { readServerNotes } from "../../src/events/server-notes.ts";
import { checkModes } from "../../src/health/check-modes.ts";
import type { FlightReport } from "../../src/memory/memory.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { runBuilt } from "../support/built-program.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { callTool } from "../support/mcp-client.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

const URI = "memspool://events";
const POLL_MS = 50;

async function started(home: string, env: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await startServer({ home, env });
  onTestFinished(() => void server.child.kill("SIGKILL"));
  return server;
}

async function readEvents(server: ServerProcess, uri = URI): Promise<FlightReport> {
  const { contents } = await server.client.readResource({ uri });
  return JSON.parse((contents[0] as { text: string }).text);
}

/** Looks again until it is there; the test's own limit ends the wait. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await delay(POLL_MS);
  }
}

const notesOf = (home: string) =>
  readServerNotes({
    ...{ fs: nodeDurableFs, dir: join(home, "run"), clock: systemClock, host: hostname() },
  });

it("R5: the events resource shows what happened, newest first, and a snapshot a second", async () => {
  const home = freshDirectory();
  const server = await started(home);
  await callTool(server.client, "memory_capture", { surface: "secret words" });
  const report = await until(async () => {
    const seen = await readEvents(server);
    return seen.snapshots.length >= 2 ? seen : undefined;
  });
  const codes = report.signals.map(({ code }) => code);
  expect(codes.at(-1)).toBe("STARTUP");
  expect(codes).toContain("LEADER_ELECTED");
  const [last, before] = report.snapshots;
  expect(Date.parse(String(last?.at))).toBeGreaterThan(Date.parse(String(before?.at)));
  expect(last?.rss_bytes).toBeGreaterThan(1_000_000);
  expect(JSON.stringify(report)).not.toContain("secret");
  expect((await readEvents(server, `${URI}?limit=1`)).snapshots).toHaveLength(1);
  await server.close();
});

it("P10: snapshot and note hold what pressure control measures", async () => {
  const home = freshDirectory();
  const server = await started(home);
  await callTool(server.client, "memory_capture", { surface: "words" });
  const [last] = await until(async () => {
    const { snapshots } = await readEvents(server);
    return snapshots[0]?.used_bytes == null ? undefined : snapshots;
  });
  expect(last).toMatchObject({ spool_state: "normal", governor_state: "normal", waiting: 0 });
  const note = await until(async () => (await notesOf(home)).find(({ spool }) => spool !== null));
  expect(note).toMatchObject({ spool: { state: "normal", dropped: 0 }, governor: { share: 1 } });
  await server.close();
});

it("R5: who subscribed to events is told of a signal", async () => {
  // Without an ingester, whose reports are changes too.
  const server = await started(freshDirectory(), { MEMSPOOL_INGEST_ENABLED: "false" });
  const updated = new Promise<string>((resolve) => {
    server.client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) =>
      resolve(params.uri),
    );
  });
  await server.client.subscribeResource({ uri: URI });
  server.child.stdin?.write("no message\n");
  expect(await updated).toBe(URI);
  await server.close();
});

it("a server's note is there while it runs, readable for other processes, and goes with it", async () => {
  const home = freshDirectory();
  const server = await started(home);
  const [note] = await until(async () => {
    const notes = await notesOf(home);
    return notes.length > 0 ? notes : undefined;
  });
  expect(note).toMatchObject({ pid: server.pid, host: hostname() });
  await server.close();
  expect(readdirSync(join(home, "run"))).toEqual([]);
});

it("a killed server's note is not shown", async () => {
  const home = freshDirectory();
  const server = await started(home);
  await until(async () => ((await notesOf(home)).length > 0 ? true : undefined));
  await server.kill("SIGKILL");
  expect(await notesOf(home)).toEqual([]);
  expect(readdirSync(join(home, "run"))).toHaveLength(1);
});

it("a server that starts sweeps the notes of killed ones", async () => {
  const home = freshDirectory();
  const killed = await started(home);
  await until(async () => ((await notesOf(home)).length > 0 ? true : undefined));
  await killed.kill("SIGKILL");
  const [name = ""] = readdirSync(join(home, "run"));
  const path = join(home, "run", name);
  const note = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...note, at_ms: note.at_ms - 3_600_000 }));
  const server = await started(home);
  await until(async () => (existsSync(path) ? undefined : true));
  await server.close();
});

it("H4: a backup leaves notes and crash reports out, and directory modes stay in order", async () => {
  const home = freshDirectory();
  const target = join(freshDirectory(), "copy");
  mkdirSync(join(home, "crashes"), { mode: 0o700 });
  const server = await started(home);
  await callTool(server.client, "memory_capture", { surface: "words" });
  await until(async () => ((await notesOf(home)).length > 0 ? true : undefined));
  expect((await runBuilt(["backup", target], { home })).exitCode).toBe(0);
  expect(readdirSync(target).sort()).toEqual(["manifest.json", "queue", "store"]);
  expect(existsSync(join(home, "run"))).toBe(true);
  expect(await checkModes({ home, uid: process.getuid?.() })).toMatchObject({ status: "ok" });
  await server.close();
});

it("a command of its own writes neither note nor report", async () => {
  const home = freshDirectory();
  expect((await runBuilt(["capture", "words"], { home })).exitCode).toBe(0);
  expect(readdirSync(home)).toEqual(["queue"]);
});
