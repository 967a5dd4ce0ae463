import { once } from "node:events";
import { readdirSync, watch } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { MemoryRecord } from "../../../../src/record/memory-record.ts";
import { spawnBuilt } from "../../../support/built-program.ts";
import { said, transcript, typed } from "../../../support/transcript-lines.ts";
import { TranscriptScene } from "../../../support/transcript-scene.ts";

const KILLS = 4;
/** Records that a process may publish before it dies. */
const PUBLISHED_MAX = 500;

/** Every fifth turn repeats words that were said before. */
function session(name: string, count: number): string {
  const lines = Array.from({ length: count }, (_, n) => {
    const words = n % 5 === 0 ? "go on" : `${name} turn ${n}`;
    return n % 2 === 0 ? typed(words, { sessionId: name }) : said(words, { sessionId: name });
  });
  return transcript(...lines);
}

/** Starts an import and kills it when so many records were published since. */
async function killedImport(scene: TranscriptScene, published: number): Promise<boolean> {
  const queueDir = join(scene.home, "queue");
  const seen = new Set(readdirSync(queueDir));
  const child = spawnBuilt(["import", "transcripts"], { home: scene.home, env: scene.env });
  child.stdin?.end();
  let left = published;
  const watcher = watch(queueDir, (_, name) => {
    if (name === null || !/^pending-.*\.json$/.test(name) || seen.has(name)) return;
    seen.add(name);
    left--;
    if (left === 0) child.kill("SIGKILL");
  });
  const [, signal] = await once(child, "exit");
  watcher.close();
  return signal === "SIGKILL";
}

function tally(records: readonly MemoryRecord[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { surface } of records) counts.set(surface, (counts.get(surface) ?? 0) + 1);
  return counts;
}

describe("an import that is killed", () => {
  it("C2: loses no turn and stores none twice, however often it dies, and goes on where it was", async () => {
    const scene = new TranscriptScene();
    const names = ["a", "b", "c"];
    for (const name of names) scene.claude(session(name, 150), name);
    scene.claude(session("long", 2_200), "long");
    // The queue is there to be watched, and a record that is no turn is left alone.
    await scene.memspool("capture", "kettle");
    let kills = 0;
    for (let round = 1; round <= KILLS; round++) {
      if (await killedImport(scene, (PUBLISHED_MAX * round) / KILLS)) kills++;
    }
    expect(kills).toBeGreaterThan(1);
    const last = await scene.import();
    expect(last.captured).toBeGreaterThan(0);
    expect(last.lines).toBeLessThan(3 * 150 + 2_200);
    const expected = new Map<string, number>([["kettle", 1]]);
    for (const [name, count] of [
      ...names.map((name) => [name, 150] as const),
      ["long", 2_200] as const,
    ]) {
      for (let n = 0; n < count; n++) {
        const key = n % 5 === 0 ? "go on" : `${name} turn ${n}`;
        expected.set(key, (expected.get(key) ?? 0) + 1);
      }
    }
    expect(tally(await scene.records())).toEqual(expected);
    await scene.memspool("drain");
    expect(tally(await scene.records())).toEqual(expected);
  }, 120_000);

  it("Q11: a queue that is full is drained on the way, and nothing is refused or lost", async () => {
    const scene = new TranscriptScene();
    scene.claude(session("a", 300), "a");
    for (const overflow of ["reject", "drop-oldest"]) {
      const small = ["--set", "queue.maxRecords=40", "--set", `queue.overflow=${overflow}`];
      expect(await scene.import(...small)).toMatchObject({ captured: 300, refused: 0 });
      expect(await scene.records()).toHaveLength(300);
      scene.home = join(scene.root, "again");
    }
  }, 60_000);
});
