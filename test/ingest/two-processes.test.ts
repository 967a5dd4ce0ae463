import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { expect, it, onTestFinished } from "vitest";
import { decodeMembers } from "../../src/queue/archive-member.ts";
import { bundled } from "../store/bundled.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import { copyToSegment, overflowNames, spill } from "../support/spilled-segments.ts";

const COUNT = 600;
const SPILLED = 200;

type Child = ChildProcessByStdio<Writable, Readable, null>;

function start(script: string, bench: IngestBench): { child: Child; lines: () => Promise<string> } {
  const child = spawn(process.execPath, [script, bench.layout.dir, bench.storeFile, "20"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const iterator = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, lines: async () => String((await iterator.next()).value) };
}

it("I3: two processes that drain at once, pending and spilled, end with each record exactly once", async () => {
  const script = await bundled("test/ingest/draining-process.ts");
  const bench = new IngestBench();
  const ids = await bench.appendMany(COUNT);
  for (let from = 0; from < SPILLED; from += 50) spill(bench.layout, ids.slice(from, from + 50));
  copyToSegment(bench.layout, ids.slice(SPILLED, SPILLED + 50));
  await (await bench.openSqlite()).close();
  const pair = [start(script, bench), start(script, bench)];
  for (const { lines } of pair) expect(await lines()).toBe("ready");
  for (const { child } of pair) child.stdin.write("go");
  const inserted = await Promise.all(
    pair.map(async ({ child, lines }) => {
      const ended = once(child, "exit");
      const count = Number(await lines());
      expect(await ended).toEqual([0, null]);
      return count;
    }),
  );
  expect(inserted.reduce((sum, count) => sum + count)).toBe(COUNT);
  expect([bench.pending(), overflowNames(bench.layout)]).toEqual([[], []]);
  expect(readdirSync(bench.layout.quarantineDir)).toEqual([]);
  const store = await bench.openSqlite();
  expect((await store.stats()).records).toBe(COUNT);
  expect([...(await store.lookup(ids)).keys()].sort()).toEqual(ids);
  await store.close();
  const archived = readdirSync(bench.layout.doneDir).flatMap((name) => {
    const file = readFileSync(join(bench.layout.doneDir, name));
    const members = [...decodeMembers(file, () => expect.unreachable())];
    return members.flatMap(({ lines }) => lines.map((line) => JSON.parse(line.toString()).ulid));
  });
  expect([...new Set(archived)].sort()).toEqual(ids);
});
