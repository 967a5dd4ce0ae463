import { appendFileSync, readdirSync, renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Trimmer } from "../../../src/ingest/trimmer.ts";
import { trimmingHere } from "../../../src/ingest/trimming-here.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { nodeDurableFs } from "../../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { MEMBER_SIGNATURE } from "../../../src/queue/archive-member.ts";
import { newestIds } from "../../../src/queue/high-water.ts";
import { mortalFs } from "../../store/mortal-fs.ts";
import { notesOf, problemsOf, sumOf, VerifyBench } from "../../support/verify-bench.ts";

const HOURS = ["20260301-01", "20260301-02", "20260301-03"];
const NOT_STOPPING = () => false;

/** Three records in the store and in each of three archive files of earlier hours. */
async function archived(): Promise<{ bench: VerifyBench; ulids: string[] }> {
  const bench = new VerifyBench();
  const ulids: string[] = [];
  for (const hour of HOURS) {
    ulids.push(...(await bench.captureMany(3)));
    await bench.drain();
    await bench.letGo();
    const [written = ""] = names(bench).filter((name) => !HOURS.includes(name.slice(0, 11)));
    const { doneDir } = bench.layout;
    renameSync(join(doneDir, written), join(doneDir, `${hour}-a.ndjson.gz`));
  }
  return { bench, ulids };
}

function names({ layout }: VerifyBench): string[] {
  return readdirSync(layout.doneDir).sort();
}

it("P3: whatever trimming was cut short, verify finds nothing missing", async () => {
  const { bench, ulids } = await archived();
  const { layout, events, storeFile } = bench;
  const trim = { quotaBytes: 0, softPct: 90, freeBytesMin: 0 };
  const left = new Set<number>();
  for (let calls = 0; names(bench).length > 0; calls++) {
    const { fs } = mortalFs(calls);
    const trimming = trimmingHere({ trim, storeFile }, layout, systemClock);
    const trimmer = new Trimmer({ fs, layout, clock: systemClock, events, trimming });
    await trimmer.run(NOT_STOPPING);
    const count = names(bench).length;
    if (left.has(count)) continue;
    left.add(count);
    const report = await bench.verify();
    expect([report.ok, problemsOf(report)]).toEqual([true, {}]);
    expect(sumOf(report)).toMatchObject({ captured: ulids.length, stored: ulids.length });
    expect(report.checked.archive_records).toBe(count * 3);
    await bench.letGo();
  }
  expect(left).toEqual(new Set([3, 2, 1, 0]));
});

it("P3: verify does not call a file unreadable, or torn, that was trimmed while it looked", async () => {
  const { bench } = await archived();
  const [name = ""] = names(bench);
  const path = join(bench.layout.doneDir, name);
  appendFileSync(path, MEMBER_SIGNATURE);
  expect(notesOf(await bench.verify())).toEqual({ archive_torn: 1 });
  let opened = 0;
  const trimming = {
    ...nodeDurableFsSync,
    openRead: (asked: string) => {
      if (asked === path) opened++;
      if (asked === path && opened === 2) unlinkSync(path); // between reading it and judging its end
      return nodeDurableFsSync.openRead(asked);
    },
  };
  const report = await bench.verify({}, { fs: trimming });
  expect([report.problems, notesOf(report)]).toEqual([[], {}]);
  expect(opened).toBeGreaterThan(1);
});

it("P3: a new process finds where ids went on, with the archive trimmed to nothing", async () => {
  const { bench, ulids } = await archived();
  for (const name of names(bench)) unlinkSync(join(bench.layout.doneDir, name));
  const newest = await newestIds(nodeDurableFs, bench.layout, systemClock.nowMs());
  expect(newest.at(-1)).toBe([...ulids].sort().at(-1));
});
