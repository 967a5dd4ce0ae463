import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const SCRIPT = new URL("../support/queue-process.mjs", import.meta.url).pathname;

function start(queueDir: string, ...work: string[]): ChildProcess {
  const child = spawn(process.execPath, [SCRIPT, queueDir, ...work], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function firstLine(child: ChildProcess): Promise<unknown> {
  if (!child.stdout) throw new Error("no stdout");
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return JSON.parse(line as string);
}

describe("several processes on one queue", () => {
  it("Q5: 8 processes × 100 appends: no error, no id twice, every file whole", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const children = Array.from({ length: 8 }, () => start(queueDir, "append", "100"));
    const outcomes = (await Promise.all(children.map(firstLine))) as {
      ulid: string;
      surface: string;
    }[][];
    const receipts = outcomes.flat();
    expect(receipts).toHaveLength(800);
    expect(new Set(receipts.map(({ ulid }) => ulid)).size).toBe(800);
    const said = new Map(receipts.map(({ ulid, surface }) => [ulid, surface]));
    const queue = new CaptureQueue({ queueDir });
    const count = await queue.ingestPending((record, { ulid }) => {
      expect(record.surface).toBe(said.get(ulid));
    });
    expect(count).toBe(800);
    expect(readdirSync(queueDir).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
  });

  it("Q8: a record that a live process holds is skipped, also beyond 10 s; after SIGKILL its mark stays and is taken over once stale", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const clock = new ManualClock(Date.now());
    const queue = new CaptureQueue({ queueDir, clock });
    const { ulid } = await queue.append({ surface: "held" });
    const holder = start(queueDir, "hold", ulid);
    expect(await firstLine(holder)).toEqual({ holding: ulid });
    await queue.append({ surface: "beside" });
    await queue.append({ surface: "beside" });
    expect(await queue.ingestPending(() => {})).toBe(2);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    const mark = join(queueDir, `pending-${ulid}.lock`);
    expect(existsSync(mark)).toBe(true);
    expect(await queue.ingestPending(() => {})).toBe(0);
    clock.step(Date.now() - clock.nowMs() + 11_000);
    expect(await queue.ingestPending(() => {})).toBe(1);
    expect(existsSync(mark)).toBe(false);
    rmSync(queueDir, { recursive: true });
  });
});
