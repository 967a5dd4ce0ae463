import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Ingester } from "../../src/ingest/ingester.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { placeOrder } from "../../src/queue/forget-order.ts";
import { ForgetView } from "../../src/queue/forget-view.ts";
import { markUlid, pendingPath, queueLayout } from "../../src/queue/layout.ts";
import { generateUlid } from "../../src/record/record-id.ts";
import { openStore } from "../../src/store/open-store.ts";
import { bundleChild } from "../support/bundled-child.ts";
import { addCrashRow, rounds } from "../support/crash-table.ts";
import { filesWith, marked, setAside, spill } from "../support/forget-bench.ts";
import type { ForgetMistake, ForgetTask } from "../support/forget-child.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { IngestBench } from "../support/ingest-bench.ts";

const MARK = "zqmark";
/** Without its first letter: the index leaves out what a term shares with the one before it. */
const SOUGHT = "qmark";
const RIG = "die at every step";
const TIME_MAX_MS = rounds(180_000, 900_000);
/** Further records in the store. */
const COMPANY = 60;
/** In the short form: every so many-th step. */
const STRIDE = rounds(3, 1);

interface Prepared {
  readonly home: string;
  readonly toForget: readonly string[];
  readonly kept: ReadonlyMap<string, string>;
  /** Of a pending record that is forgotten, to bring it back. */
  readonly replay: { readonly ulid: string; readonly bytes: Buffer };
}

/** Records to forget and records to keep, one of each at every place, and the order. */
async function prepare(): Promise<Prepared> {
  const bench = new IngestBench();
  const { layout, queue } = bench;
  const pair = async (name: string): Promise<[string, string]> => [
    (await queue.append(marked(`${MARK}${name}`))).ulid,
    (await queue.append({ surface: `stays ${name}` })).ulid,
  ];
  const stored = await pair("stored");
  await queue.append(marked(`${MARK}stored`)); // an alias, which is archived, too
  // Few deletions among many entries: by itself the index keeps them for long.
  await bench.appendMany(COMPANY);
  const ingester = bench.ingester({ openStore: () => bench.openSqlite() });
  await ingester.drain({ dueOrNot: true });
  await ingester.stop();
  const [spilled, pending, aside] = [await pair("spilled"), await pair("pending"), await pair("q")];
  spill(bench, ...spilled);
  setAside(bench, aside[0]);
  await queue.close();
  const replay = { ulid: pending[0], bytes: bench.bytesOf(pending[0]) };
  const toForget = [stored, spilled, pending, aside].map(([ulid]) => ulid);
  const at = new Date().toISOString();
  const order = { request: generateUlid(), at, reason: "requested", ulids: toForget };
  placeOrder(nodeDurableFsSync, layout, order);
  const kept = new Map(
    [stored, spilled, pending, aside].map(([, ulid], n) => [
      ulid,
      `stays ${["stored", "spilled", "pending", "q"][n]}`,
    ]),
  );
  return { home: bench.home, toForget, kept, replay };
}

function runChild(bundle: string, task: ForgetTask): { steps: number; left: number } | undefined {
  const { stdout, stderr, signal, status } = spawnSync(
    process.execPath,
    [bundle, JSON.stringify(task)],
    { encoding: "utf8" },
  );
  if (signal === "SIGKILL") return undefined;
  if (status !== 0) throw new Error(`child failed: ${stderr}`);
  return JSON.parse(stdout) as { steps: number; left: number };
}

/** Records that nobody is told of any more, wherever their content still lies. */
async function shownAfterDeath({ toForget }: Prepared, home: string): Promise<string[]> {
  const layout = queueLayout(join(home, "queue"));
  const hidden = await new ForgetView(nodeDurableFs, layout, systemClock).hidden();
  const store = await openStore({ file: join(home, "store", "memspool.db"), readOnly: true });
  const known = await store.lookup(toForget);
  await store.close();
  return toForget.filter((ulid) => !hidden.has(ulid) && known.get(ulid)?.state !== "forgotten");
}

/** What the next server does; then a replay, and that again. */
async function recover({ replay }: Prepared, home: string): Promise<void> {
  const layout = queueLayout(join(home, "queue"));
  for (const name of readdirSync(layout.dir)) {
    // The dead one's marks are stale by then.
    if (markUlid(name) !== undefined) utimesSync(join(layout.dir, name), 1, 1);
  }
  for (const replayed of [false, true]) {
    if (replayed) writeFileSync(pendingPath(layout, replay.ulid), replay.bytes);
    const ingester = new Ingester({
      fs: nodeDurableFsSync,
      layout,
      clock: systemClock,
      events: { emit: () => {} },
      attemptsMax: 3,
      batchRecordsMax: 2,
      pollMs: 1_000_000,
      random: () => 0,
      openStore: () => openStore({ file: join(home, "store", "memspool.db") }),
      onReport: () => {},
    });
    await ingester.drain({ dueOrNot: true });
    await ingester.stop();
  }
}

interface Judged {
  deaths: number;
  shown: string[];
  contentLeft: string[];
  lost: string[];
  open: string[];
}

async function dieEverywhere(mistake?: ForgetMistake): Promise<Judged> {
  const bundle = await bundleChild("forget-child", freshDirectory());
  const prepared = await prepare();
  const scratch = freshDirectory();
  const judged: Judged = { deaths: 0, shown: [], contentLeft: [], lost: [], open: [] };
  for (let dieAt = 1; ; dieAt += STRIDE) {
    const home = join(scratch, `${dieAt}`);
    cpSync(prepared.home, home, { recursive: true });
    const ended = runChild(bundle, { home, dieAt, mistake });
    if (ended === undefined) judged.deaths++;
    judged.shown.push(...(await shownAfterDeath(prepared, home)));
    await recover(prepared, home);
    judged.contentLeft.push(...filesWith(home, SOUGHT).map((path) => `${dieAt}: ${path}`));
    const layout = queueLayout(join(home, "queue"));
    judged.open.push(...(await new ForgetView(nodeDurableFs, layout, systemClock).requests()));
    const store = await openStore({ file: join(home, "store", "memspool.db") });
    for (const [ulid, surface] of prepared.kept) {
      const found = await store.get(ulid);
      if (found?.record.surface !== surface) judged.lost.push(`${dieAt}: ${ulid}`);
    }
    const { records } = await store.stats();
    if (mistake === undefined) expect(records, `after ${dieAt}`).toBe(prepared.kept.size + COMPANY);
    await store.close();
    rmSync(home, { recursive: true });
    if (ended !== undefined) return judged;
  }
}

describe("SIGKILL at every step of forgetting", () => {
  it(
    "S6: goes on afterwards, shows nothing, leaves nothing and loses nothing else",
    async () => {
      const { deaths, ...harm } = await dieEverywhere();
      expect(harm).toEqual({ shown: [], contentLeft: [], lost: [], open: [] });
      expect(deaths).toBeGreaterThan(10);
      addCrashRow({
        rig: RIG,
        operation: "forget",
        fault: "SIGKILL by step",
        tried: deaths,
        lost: harm.lost.length,
        altered: 0,
        twice: 0,
      });
    },
    TIME_MAX_MS,
  );

  it.each(["settled first", "scrub left out", "no tombstones"] as const)(
    "the rig catches: %s",
    async (mistake) => {
      const { shown, contentLeft } = await dieEverywhere(mistake);
      expect(shown.length + contentLeft.length).toBeGreaterThan(0);
    },
    TIME_MAX_MS,
  );
});
