import { join } from "node:path";
import { expect, it } from "vitest";
import { MemspoolError } from "../../../../src/errors.ts";
import type { CaptureInput } from "../../../../src/memory/memory.ts";
import { Privacy } from "../../../../src/memory/privacy/privacy.ts";
import type { TranscriptParts } from "../../../../src/memory/transfer/transcripts/import-job.ts";
import { importTranscripts } from "../../../../src/memory/transfer/transcripts/import-transcripts.ts";
import { KnownTurns } from "../../../../src/memory/transfer/transcripts/known-turns.ts";
import { findTranscripts } from "../../../../src/memory/transfer/transcripts/transcript-files.ts";
import { nodeDurableFs } from "../../../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../../../src/platform/durable-fs-sync.ts";
import { said, transcript, typed } from "../../../support/transcript-lines.ts";
import { TranscriptScene } from "../../../support/transcript-scene.ts";

const ULID = "01JQ7Z8X9YABCDEFGHJKMNPQRS";

/** An import whose captures go into a list, and fail once it is as long as `captureMax`. */
function bench(scene: TranscriptScene) {
  const kept: CaptureInput[] = [];
  const control = { captureMax: Number.POSITIVE_INFINITY, code: "CAPTURE_FAILED" as const };
  const parts: TranscriptParts = {
    fs: nodeDurableFs,
    fsSync: nodeDurableFsSync,
    statesDir: join(scene.home, "transcripts"),
    textBytesMax: 1_048_576,
    capture: async (input) => {
      if (kept.length >= control.captureMax)
        throw new MemspoolError(control.code, "No. Try again.");
      kept.push(input);
      return { ulid: ULID, sha256: "", state: "pending", appended_at: "" };
    },
    receipt: async (ulid) => ({ ulid, state: "ingested" }),
    knownTurns: async () => {
      const known = new KnownTurns();
      for (const record of kept) known.see(ULID, JSON.stringify(record));
      return known;
    },
    privacy: new Privacy({ privateSpans: false, secrets: false, patterns: [] }),
    projectOf: (cwd) => (cwd?.endsWith("/atlas") ? "atlas" : ""),
    makeRoom: async () => {},
  };
  const run = async (options = {}) => {
    const place = { path: scene.claudeDir, client: undefined, isDefault: false };
    const { files, failed } = await findTranscripts([place]);
    return importTranscripts(parts, files, failed, options);
  };
  return { kept, control, run };
}

const words = (kept: readonly CaptureInput[]) => kept.map(({ surface }) => surface);

it("C2: what a capture refused to take is read again, so that a failing disk costs no turn", async () => {
  const scene = new TranscriptScene();
  const turns = Array.from({ length: 300 }, (_, n) => typed(`turn ${n}`));
  scene.claude(transcript(...turns), "a");
  scene.claude(transcript(said("the last")), "b");
  const { kept, control, run } = bench(scene);
  for (const captureMax of [0, 50, 130, 260, 299]) {
    control.captureMax = captureMax;
    await expect(run()).rejects.toMatchObject({ code: "CAPTURE_FAILED" });
    expect(kept).toHaveLength(captureMax);
  }
  control.captureMax = Number.POSITIVE_INFINITY;
  expect(await run()).toMatchObject({ captured: 2 });
  expect(words(kept).sort()).toEqual([...turns.map((_, n) => `turn ${n}`), "the last"].sort());
});

it("C2: a process that is told to stop stops between two lines, and the next one does the rest", async () => {
  const scene = new TranscriptScene();
  scene.claude(transcript(...Array.from({ length: 400 }, (_, n) => typed(`turn ${n}`))));
  const { kept, run } = bench(scene);
  const stop = new AbortController();
  const onProgress = () => {
    if (kept.length > 200) stop.abort();
  };
  await expect(run({ signal: stop.signal, onProgress })).rejects.toThrow(/abort/i);
  expect(kept.length).toBeLessThan(400);
  await run();
  expect(new Set(words(kept)).size).toBe(400);
  expect(kept).toHaveLength(400);
});

it("C2: reading goes on only as turns become durable, and each place's project is asked for once", async () => {
  const scene = new TranscriptScene();
  scene.claude(transcript(...Array.from({ length: 300 }, (_, n) => typed(`turn ${n}`))));
  const { kept, run } = bench(scene);
  const behind: number[] = [];
  let lines = 0;
  await run({ onProgress: () => behind.push(++lines - kept.length) });
  expect(Math.max(...behind)).toBeLessThan(130);
  expect(new Set(kept.map(({ project }) => project))).toEqual(new Set(["atlas"]));
});

it("C2: a turn that a capture refuses for itself is counted and named, and the others go on", async () => {
  const scene = new TranscriptScene();
  const file = scene.claude(transcript(typed("one"), typed("two")));
  const { control, run } = bench(scene);
  Object.assign(control, { captureMax: 1, code: "RECORD_INVALID" });
  expect(await run()).toMatchObject({
    ...{ captured: 1, refused: 1 },
    notes: [{ file, line: 2, reason: "RECORD_INVALID" }],
  });
});

it("C2: progress comes to its end, also if a file vanishes or grows meanwhile", async () => {
  const scene = new TranscriptScene();
  scene.claude(transcript(typed("one")), "a");
  const { run } = bench(scene);
  const told: [number, number][] = [];
  await run({ onProgress: (done: number, total: number) => told.push([done, total]) });
  const [done, total] = told.at(-1) ?? [];
  expect(done).toBe(total);
  expect(told.every(([one]) => one <= (total ?? 0))).toBe(true);
});
