import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { bundled } from "./bundled.ts";
import { committerItem } from "./committer-item.ts";
import { freshStoreFile, openSqlite } from "./open-sqlite.ts";

const PROCESSES = 6;
const BATCHES = 5;
const BATCH_COUNT = 20;

async function finished(child: ChildProcess): Promise<{ code: number | null; complaint: string }> {
  let complaint = "";
  child.stderr?.on("data", (chunk) => {
    complaint += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, complaint };
}

it("S2: processes that make and fill one new store at the same time all succeed, once each", async () => {
  const script = await bundled("test/store/committer.ts");
  const file = freshStoreFile();
  const children = Array.from({ length: PROCESSES }, (_, n) => {
    // Each range is given to two processes: what the other inserted is a duplicate.
    const first = String(Math.floor(n / 2) * BATCHES * BATCH_COUNT);
    const args = [script, file, first, String(BATCHES), String(BATCH_COUNT)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    return child;
  });
  const ends = await Promise.all(children.map(finished));
  expect(ends).toEqual(ends.map(() => ({ code: 0, complaint: "" })));
  const store = await openSqlite(file);
  const count = (PROCESSES / 2) * BATCHES * BATCH_COUNT;
  expect(await store.stats()).toMatchObject({ records: count, aliases: 0 });
  const found = await store.candidates({ terms: ["needl"], filter: {}, countMax: 1 });
  expect(found.documentFrequency).toEqual({ needl: count });
  const turns = await store.timeline({ filter: { sessionId: "s" }, limit: count });
  expect(turns.map(({ turn }) => turn).sort((a, b) => a - b)).toEqual(
    Array.from({ length: count }, (_, n) => n + 1),
  );
  expect((await store.check()).filter(({ ok }) => !ok)).toEqual([]);
});

it("I1: SIGKILL between commits leaves every acknowledged batch, and only whole ones", async () => {
  const script = await bundled("test/store/committer.ts");
  const file = freshStoreFile();
  for (let round = 0; round < 4; round++) {
    const first = round * 100_000;
    const child = spawn(
      process.execPath,
      [script, file, String(first), "1000", String(BATCH_COUNT)],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    onTestFinished(() => void child.kill("SIGKILL"));
    const acknowledged: number[] = [];
    const killAfter = 3 + round * 4;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(Number(line));
      if (acknowledged.length === killAfter) child.kill("SIGKILL");
    }
    const store = await openSqlite(file);
    for (const start of acknowledged) {
      const ulids = Array.from({ length: BATCH_COUNT }, (_, n) => committerItem(start + n).ulid);
      expect((await store.lookup(ulids)).size).toBe(BATCH_COUNT);
    }
    expect((await store.stats()).records % BATCH_COUNT).toBe(0);
    expect((await store.check()).filter(({ ok }) => !ok)).toEqual([]);
    await store.close();
  }
});
