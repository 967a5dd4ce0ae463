import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { runBuilt } from "../support/built-program.ts";
import { filesWith, marked } from "../support/forget-bench.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { until } from "../support/ingest-bench.ts";
import { callTool } from "../support/mcp-client.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

const SOUGHT = "qmark";
const TIME_MAX_MS = 60_000;

/** The record's own text without what JSON-RPC clients may not send. */
function record(name: string) {
  const whole = marked(`z${SOUGHT}${name}`);
  return { ...whole, surface: `z${SOUGHT}${name} "quoted" é` };
}

async function capture(server: ServerProcess, name: string): Promise<string> {
  const { structured } = await callTool(server.client, "memory_capture", record(name));
  return structured.ulid as string;
}

const stateOf = async (server: ServerProcess, ulid: string) =>
  (await callTool(server.client, "memory_receipt", { ulid })).structured.state;

async function forget(server: ServerProcess, wanted: object) {
  const dry = await callTool(server.client, "memory_forget", { ...wanted });
  const { confirm } = dry.structured;
  return (await callTool(server.client, "memory_forget", { ...wanted, confirm })).structured;
}

describe("forgetting beside running servers", () => {
  it(
    "T6: by the follower's client, carried out by the leader, gone for both",
    async () => {
      const home = freshDirectory();
      const first = await startServer({ home });
      const one = await capture(first, "one");
      await until(async () => expect(await stateOf(first, one)).toBe("ingested"));
      const second = await startServer({ home });
      const two = await capture(second, "two");
      const kept = (await callTool(second.client, "memory_capture", { surface: "stays" }))
        .structured.ulid as string;
      const done = await forget(second, {
        filter: { project: "*", tags: [`z${SOUGHT}onetag`] },
      });
      expect(done).toMatchObject({ state: "forgotten", count: 1, ulids: [one] });
      expect(await forget(second, { ulid: two })).toMatchObject({ state: "forgotten", count: 1 });
      for (const server of [first, second]) {
        for (const ulid of [one, two]) expect(await stateOf(server, ulid)).toBe("forgotten");
        const found = await callTool(server.client, "memory_search", {
          query: "quoted",
          project: "*",
        });
        expect(found.structured.results).toEqual([]);
        expect(await stateOf(server, kept)).not.toBe("forgotten");
      }
      expect(filesWith(home, SOUGHT)).toEqual([]);
      const refused = await callTool(second.client, "memory_forget", { ulid: kept, forever: true });
      expect(refused).toMatchObject({
        isError: true,
        structured: { error: { code: "INVALID_ARGUMENT" } },
      });
      await Promise.all([first.close(), second.close()]);
    },
    TIME_MAX_MS,
  );

  it(
    "C1: by the command line while a server leads, and where none does",
    async () => {
      const home = freshDirectory();
      const server = await startServer({ home });
      const one = await capture(server, "one");
      await until(async () => expect(await stateOf(server, one)).toBe("ingested"));
      const beside = await runBuilt(["forget", one, "--yes", "--json"], { home });
      expect([beside.exitCode, JSON.parse(beside.stdout.toString()).state]).toEqual([
        0,
        "forgotten",
      ]);
      expect(await stateOf(server, one)).toBe("forgotten");
      const two = await capture(server, "two");
      await server.kill("SIGKILL");
      const alone = await runBuilt(["forget", two, "--yes", "--json"], { home });
      expect([alone.exitCode, JSON.parse(alone.stdout.toString()).state]).toEqual([0, "forgotten"]);
      expect(filesWith(home, SOUGHT)).toEqual([]);
      const verified = await runBuilt(["verify", "--json"], { home });
      const sum = JSON.parse(verified.stdout.toString());
      expect(sum).toMatchObject({ ok: true, captured: 2, forgotten: 2, problems: [] });
    },
    TIME_MAX_MS,
  );

  it(
    "S6: a snapshot that another process keeps open delays it as purging, and no longer",
    async () => {
      const home = freshDirectory();
      const server = await startServer({ home });
      const one = await capture(server, "one");
      await until(async () => expect(await stateOf(server, one)).toBe("ingested"));
      const script = join(freshDirectory(), "reader.mjs");
      const sqlite = resolve("node_modules/@photostructure/sqlite/dist/index.mjs");
      writeFileSync(
        script,
        `import { DatabaseSync } from ${JSON.stringify(sqlite)};
       const db = new DatabaseSync(process.argv[2], { readOnly: true });
       db.exec("BEGIN");
       db.prepare("SELECT count(*) FROM records").get();
       process.stdout.write("open");
       process.stdin.on("data", () => {
         db.close();
         process.exit(0);
       });`,
      );
      const reader = spawn(process.execPath, [script, join(home, "store", "memspool.db")], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      await once(reader.stdout as NodeJS.ReadableStream, "data");
      const result = await forget(server, { ulid: one });
      expect(result).toMatchObject({ state: "purging", advice: expect.stringContaining("hidden") });
      expect(await stateOf(server, one)).toBe("purging");
      const found = await callTool(server.client, "memory_search", {
        query: "quoted",
        project: "*",
      });
      expect(found.structured.results).toEqual([]);
      // Captures and ingestion go on meanwhile.
      const two = await capture(server, "two");
      await until(async () => expect(await stateOf(server, two)).toBe("ingested"));
      reader.stdin?.write("go");
      await once(reader, "exit");
      await until(async () => expect(await stateOf(server, one)).toBe("forgotten"));
      const left = filesWith(home, `${SOUGHT}one`);
      expect(left).toEqual([]);
      await server.close();
    },
    TIME_MAX_MS,
  );
});
