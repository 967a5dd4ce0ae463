/** Retention in the built program: from the settings through `drain` to status and doctor. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { runBuilt } from "../support/built-program.ts";
import { fakeStatus, makeFakeApp } from "../support/fake-app.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { run } from "../support/run-program.ts";

async function agedHome(): Promise<{ home: string; ids: string[] }> {
  const home = freshDirectory();
  const queueDir = join(home, "queue");
  const old = new CaptureQueue({ queueDir, clock: new ManualClock(Date.UTC(2020, 0, 1)) });
  const [first, second] = [
    await old.append({ surface: "old", project: "p" }),
    await old.append({ surface: "old and kept", project: "q" }),
  ];
  await old.close();
  const queue = new CaptureQueue({ queueDir });
  const fresh = await queue.append({ surface: "new", project: "p" });
  await queue.close();
  return { home, ids: [first.ulid, second.ulid, fresh.ulid] };
}

async function statesOf(home: string, ids: readonly string[]): Promise<string[]> {
  const states: string[] = [];
  for (const ulid of ids) {
    const { stdout } = await runBuilt(["receipt", ulid, "--json"], { home });
    states.push(JSON.parse(stdout.toString()).state);
  }
  return states;
}

it("C3: the settings reach the ingester, and doctor names them", async () => {
  const { home, ids } = await agedHome();
  await runBuilt(["drain"], { home });
  expect(await statesOf(home, ids)).toEqual(["ingested", "ingested", "ingested"]);
  writeFileSync(join(home, "config.json"), '{"retention.days": 30}', { mode: 0o600 });
  const env = { MEMSPOOL_RETENTION_PROJECTS: '{"q": 0}' };
  expect((await runBuilt(["drain"], { home, env })).exitCode).toBe(0);
  expect(await statesOf(home, ids)).toEqual(["forgotten", "ingested", "ingested"]);
  const status = JSON.parse(
    (await runBuilt(["status", "--json"], { home, env })).stdout.toString(),
  );
  expect(status.retention).toEqual({ on: true, days: 30, projects: 1, forgotten: 0 });
  const { stdout } = await runBuilt(["doctor"], { home, env });
  expect(stdout.toString()).toMatch(
    /retention\.days \(file\), retention\.projects \(environment\)/,
  );
});

it("C3: status tells that it is on, and what it forgot", async () => {
  const app = makeFakeApp();
  const home = freshDirectory();
  const shown = async (retention: ReturnType<typeof fakeStatus>["retention"]) => {
    app.memory.status = async () => fakeStatus({ retention });
    return (await run(["status"], { home, app })).stdout;
  };
  const on = { on: true, days: 30, projects: 2, forgotten: 7 };
  expect(await shown(on)).toMatch(
    /retention\s+on, kept 30 days, 2 projects apart; forgotten by this process: 7 records/,
  );
  expect(await shown({ ...on, days: 0 })).toMatch(/kept for ever, 2 projects apart/);
  expect(await shown({ on: false, days: 0, projects: 0, forgotten: 0 })).not.toMatch(/retention/);
});
