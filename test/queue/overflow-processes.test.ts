import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { readSegment } from "../../src/queue/spill-segment.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const SCRIPT = new URL("../support/overflowing-process.mjs", import.meta.url).pathname;
const PROCESSES = 4;
const EACH = 60;
const MAX = 20;

interface Said {
  readonly ulid: string;
  readonly sha256: string;
  readonly surface: string;
}

/** Runs to its end; what it was told was captured. */
async function produce(queueDir: string, policy: string): Promise<Said[]> {
  const child = spawn(process.execPath, [SCRIPT, queueDir, `${MAX}`, policy, `${EACH}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const said: Said[] = [];
  if (!child.stdout) throw new Error("no stdout");
  for await (const line of createInterface({ input: child.stdout })) said.push(JSON.parse(line));
  expect(await exited).toEqual([0, null]);
  return said;
}

/** The greatest number of pending records at any look, until the producers are done. */
async function watchDepth(queueDir: string, until: Promise<unknown>): Promise<number> {
  let most = 0;
  let running = true;
  void until.finally(() => {
    running = false;
  });
  while (running) {
    const names = readdirSync(queueDir).filter((name) => /^pending-.*\.json$/.test(name));
    most = Math.max(most, names.length);
    await new Promise(setImmediate);
  }
  return most;
}

const audited = (queueDir: string): { dropped_ulid: string; disposition: string }[] =>
  readFileSync(join(queueDir, ".overflow-audit.log"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

function spilledIn(queueDir: string): string[] {
  const dir = join(queueDir, "overflow");
  return readdirSync(dir)
    .flatMap((name) => readSegment(readFileSync(join(dir, name))).envelopes)
    .map(({ ulid }) => ulid);
}

describe("several processes that fill one queue", () => {
  it.for<["spill" | "drop-oldest", string]>([
    ["spill", "spilled"],
    ["drop-oldest", "dropped"],
  ])(
    "Q11: with policy %s the limit is exceeded by no more than the appends in flight, and all are accounted for",
    async ([policy, disposition]) => {
      const queueDir = join(freshDirectory(), "queue");
      const queue = new CaptureQueue({ queueDir, maxSize: MAX, overflow: policy });
      const first = await queue.append({ surface: "the first" });
      const producing = Promise.all(
        Array.from({ length: PROCESSES }, () => produce(queueDir, policy)),
      );
      const most = await watchDepth(queueDir, producing);
      expect(most).toBeGreaterThanOrEqual(MAX - 1);
      expect(most).toBeLessThanOrEqual(MAX + PROCESSES);
      const appended = [first.ulid, ...(await producing).flat().map(({ ulid }) => ulid)];
      expect(appended).toHaveLength(PROCESSES * EACH + 1);
      const kept = (await queue.listPending()).map(({ ulid }) => ulid);
      const lines = audited(queueDir);
      expect(new Set(lines.map((line) => line.disposition))).toEqual(new Set([disposition]));
      const gone = lines.map(({ dropped_ulid: ulid }) => ulid);
      // Each once: kept, or gone with one line.
      expect([...kept, ...gone].toSorted()).toEqual(appended.toSorted());
      expect(spilledIn(queueDir).toSorted()).toEqual(policy === "spill" ? gone.toSorted() : []);
      await queue.close();
    },
  );

  it("Q11: what exceeds the limit nevertheless is brought down by whoever appended last, within two seconds", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const queue = new CaptureQueue({ queueDir, maxSize: MAX });
    for (let n = 0; n < MAX; n++) await queue.append({ surface: `text ${n}` });
    // Published by a process that died before its lines in the ledger.
    const other = new CaptureQueue({ queueDir: join(freshDirectory(), "queue") });

    for (let n = 0; n < 5; n++) {
      const { ulid } = await other.append({ surface: `other ${n}` });
      const name = `pending-${ulid}.json`;
      copyFileSync(join(other.layout.dir, name), join(queueDir, name));
    }
    expect(await queue.pendingCount()).toBe(MAX + 5);
    await expect
      .poll(() => queue.pendingCount(), { timeout: 2_000, interval: 20 })
      .toBeLessThanOrEqual(MAX);
    expect((await queue.listPending()).length + spilledIn(queueDir).length).toBe(MAX + 5);
    await Promise.all([queue.close(), other.close()]);
  });
});
