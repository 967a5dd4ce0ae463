/** The time that this thread works: what it counts, and what it does not. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ThreadTime } from "../../src/platform/thread-time.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const NS_PER_MS = 1_000_000;

function scene(runNs?: number) {
  const root = freshDirectory();
  const task = join(root, String(process.pid), "task", String(process.pid));
  mkdirSync(task, { recursive: true });
  const tell = (ns: number | string) => writeFileSync(join(task, "schedstat"), `${ns} 7 8\n`);
  if (runNs !== undefined) tell(runNs);
  const time = new ThreadTime(root);
  onTestFinished(() => time.close());
  return { time, tell };
}

/** Works for some real milliseconds of this thread. */
function work(ms: number): void {
  const started = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(started);
    if (user + system > ms * 1_000) return;
  }
}

describe("P9: what a look costs this thread", () => {
  it("P9: is what the kernel tells of the thread, where that is least", () => {
    const { time, tell } = scene(5 * NS_PER_MS);
    const passed = time.start();
    work(20);
    tell(7 * NS_PER_MS);
    expect(passed()).toBe(2);
  });

  it("P9: is the least of the others where the kernel does not tell, or tells nonsense", () => {
    for (const runNs of [undefined, "", "much"] as const) {
      const { time, tell } = scene();
      if (runNs !== undefined) tell(runNs);
      const passed = time.start();
      work(20);
      const ms = passed();
      expect(ms).toBeGreaterThanOrEqual(10);
    }
  });

  it("P9: is never more than the processor time of the process, and never below nothing", () => {
    const { time, tell } = scene(9_000 * NS_PER_MS);
    const before = process.cpuUsage();
    const passed = time.start();
    tell(99_000 * NS_PER_MS);
    const ms = passed();
    const { user, system } = process.cpuUsage(before);
    expect(ms).toBeLessThanOrEqual((user + system) / 1_000);
    tell(1);
    expect(passed()).toBe(0);
  });

  it("P9: can be asked for after the end", () => {
    const { time } = scene(1);
    const passed = time.start();
    time.close();
    time.close();
    expect(passed()).toBeGreaterThanOrEqual(0);
  });
});
