import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { readCheckpoint, recordCheckpoint } from "../../src/queue/audit-checkpoint.ts";
import {
  CHECKPOINT_ENTRIES_MAX,
  checkpointPath,
  decodeCheckpoint,
} from "../../src/queue/audit-checkpoint-form.ts";
import { encodeAuditLine } from "../../src/queue/audit-line.ts";
import { readAudit } from "../../src/queue/audit-read.ts";
import type { QueueLayout } from "../../src/queue/layout.ts";
import { faultyFsSync, systemError } from "../support/faulty-fs.ts";
import {
  auditLine,
  freshAuditLayout,
  namesLike,
  numbers,
  openAudit,
  victim,
  writeAuditFile,
} from "../support/overflow-audit-bench.ts";

/** A queue directory with audit files `.1` to `.<count>`, n lines in the n-th. */
function withFiles(count: number): { layout: QueueLayout; paths: string[] } {
  const layout = freshAuditLayout();
  mkdirSync(layout.dir, { recursive: true });
  const paths = numbers(1, count).map((n) => `${layout.auditFile}.${n}`);
  for (const [index, path] of paths.entries()) {
    writeAuditFile(path, numbers(100 * index, 100 * index + index));
  }
  return { layout, paths };
}

const record = (layout: QueueLayout, path: string | undefined, fs = nodeDurableFsSync) =>
  recordCheckpoint(fs, layout, path as string);

async function spilledIn(layout: QueueLayout): Promise<number | undefined> {
  return (await readCheckpoint(nodeDurableFs, layout)).checkpoint?.spilled;
}

describe("adding a file", () => {
  it("L2: holds counts by disposition, damage, times, bytes and hash of each file", async () => {
    const { layout, paths } = withFiles(1);
    const [path = ""] = paths;
    appendFileSync(path, `torn\n\n${encodeAuditLine(auditLine(9, { disposition: "dropped" }))}\n`);
    record(layout, path);
    const { checkpoint, damaged, incomplete } = await readCheckpoint(nodeDurableFs, layout);
    const bytes = readFileSync(path).length;
    const counts = { bytes, spilled: 1, dropped: 1, damaged: 1 };
    expect(checkpoint).toEqual({
      version: 1,
      generation: 1,
      files: 1,
      ...counts,
      incomplete: false,
      entries: [
        {
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
          ...counts,
          first_ts: auditLine(0).ts,
          last_ts: auditLine(9).ts,
        },
      ],
    });
    expect({ damaged, incomplete }).toEqual({ damaged: [], incomplete: false });
  });

  it("L2: the same file counts once, however often it is added", async () => {
    const { layout, paths } = withFiles(2);
    for (const path of [...paths, ...paths, ...paths]) record(layout, path);
    const { checkpoint } = await readCheckpoint(nodeDurableFs, layout);
    expect(checkpoint).toMatchObject({ files: 2, spilled: 3, generation: 2 });
  });

  it("L2: a late line that kept the file is counted with it, and the others once", async () => {
    const { layout, paths } = withFiles(3);
    for (const path of paths) record(layout, path);
    appendFileSync(paths[1] ?? "", `${encodeAuditLine(auditLine(9))}\n`);
    record(layout, paths[1]);
    const { checkpoint } = await readCheckpoint(nodeDurableFs, layout);
    expect(checkpoint).toMatchObject({ files: 3, spilled: 7 });
    expect(checkpoint?.entries).toHaveLength(3);
  });

  it("L2: stays small: the newest files by name, all of them in the totals", async () => {
    const { layout, paths } = withFiles(1);
    const [path = ""] = paths;
    const count = CHECKPOINT_ENTRIES_MAX + 5;
    for (const n of numbers(1, count)) {
      writeAuditFile(path, [n]);
      record(layout, path);
    }
    const { checkpoint } = await readCheckpoint(nodeDurableFs, layout);
    expect(checkpoint).toMatchObject({ files: count, spilled: count, generation: count });
    expect(checkpoint?.entries).toHaveLength(CHECKPOINT_ENTRIES_MAX);
    expect(checkpoint?.entries.at(-1)?.first_ts).toBe(auditLine(count).ts);
    expect(namesLike(layout, ".overflow-audit.checkpoint")).toHaveLength(3);
    expect(readFileSync(layout.auditCheckpointFile).length).toBeLessThan(40_000);
  });

  it("an empty file has nothing to add", async () => {
    const { layout, paths } = withFiles(1);
    writeFileSync(paths[0] ?? "", "");
    record(layout, paths[0]);
    expect(await spilledIn(layout)).toBeUndefined();
  });
});

describe("several processes", () => {
  /** Does something right before a link of the checkpoint, once. */
  function interrupted(act: () => void): DurableFsSync {
    let done = false;
    return {
      ...nodeDurableFsSync,
      link: (from, to) => {
        if (!done) {
          done = true;
          act();
        }
        nodeDurableFsSync.link(from, to);
      },
    };
  }

  it("L2: one who read before another wrote takes nothing of it away", async () => {
    const { layout, paths } = withFiles(2);
    const slow = interrupted(() => record(layout, paths[0]));
    record(layout, paths[1], slow);
    expect(await spilledIn(layout)).toBe(3);
  });

  it("L2: nor one who slept until its number was free again", async () => {
    const { layout, paths } = withFiles(6);
    record(layout, paths[0]);
    const slow = interrupted(() => {
      for (const path of paths.slice(1, 5)) record(layout, path);
      expect(existsSync(checkpointPath(layout, 2))).toBe(false);
    });
    record(layout, paths[5], slow);
    expect(await spilledIn(layout)).toBe(21);
    expect((await readCheckpoint(nodeDurableFs, layout)).checkpoint?.files).toBe(6);
  });

  it("L2: one who writes its copy last does not hide what is newer", async () => {
    const { layout, paths } = withFiles(3);
    record(layout, paths[0]);
    const stale = readFileSync(layout.auditCheckpointFile);
    record(layout, paths[1]);
    writeFileSync(layout.auditCheckpointFile, stale);
    expect(await spilledIn(layout)).toBe(3);
    record(layout, paths[2]);
    expect(await spilledIn(layout)).toBe(6);
    expect(decodeCheckpoint(readFileSync(layout.auditCheckpointFile))?.spilled).toBe(6);
  });

  it("L2: where there are no links, the lock alone keeps others away", async () => {
    const { layout, paths } = withFiles(2);
    const { fs, fail } = faultyFsSync();
    fail({ method: "link", errno: "EPERM" });
    record(layout, paths[0], fs);
    record(layout, paths[1], fs);
    expect(await spilledIn(layout)).toBe(3);
    expect(namesLike(layout, ".tmp-")).toEqual([]);
  });

  it("gives up when others never stop, and the file must stay", () => {
    const { layout, paths } = withFiles(1);
    const fs = {
      ...nodeDurableFsSync,
      link: () => {
        throw systemError("EEXIST");
      },
    };
    expect(() => record(layout, paths[0], fs)).toThrow("EBUSY");
  });
});

describe("failures and crashes", () => {
  it("L2: returns when content and both names are synced, and only then removes an older one", () => {
    const { layout, paths } = withFiles(3);
    record(layout, paths[0]);
    record(layout, paths[1]);
    const { fs, calls } = faultyFsSync();
    record(layout, paths[2], fs);
    const writing = calls.slice(calls.findIndex(({ method }) => method === "openExclusive"));
    const steps = writing
      .filter(({ method }) => /^(write|fsync|link|replace|openDirectory|unlink)$/.test(method))
      .map(({ method, args }) => (method === "replace" ? `${method} ${args[2]}` : method));
    expect(steps).toEqual([
      ...["write", "fsync", "link", "unlink"],
      ...["replace fsync", "openDirectory", "fsync", "unlink"],
    ]);
  });

  it("L2: whatever call fails, the file is told to stay, and once it may go it counts once", async () => {
    const calls = faultyFsSync();
    const first = withFiles(2);
    record(first.layout, first.paths[0]);
    record(first.layout, first.paths[1], calls.fs);
    const made = calls.calls.map(({ method }) => method);
    expect(made.length).toBeGreaterThan(15);
    for (const [index, method] of made.entries()) {
      const nth = made.slice(0, index + 1).filter((each) => each === method).length;
      for (const afterwards of [false, true]) {
        const { layout, paths } = withFiles(2);
        record(layout, paths[0]);
        const { fs, fail } = faultyFsSync();
        fail({ method, nth, errno: "ENOSPC", afterwards });
        expect(() => record(layout, paths[1], fs)).toThrow("ENOSPC");
        expect(await spilledIn(layout)).toBeGreaterThanOrEqual(1);
        fail(undefined);
        record(layout, paths[1], fs);
        expect(await spilledIn(layout)).toBe(3);
        expect((await readCheckpoint(nodeDurableFs, layout)).checkpoint?.files).toBe(2);
      }
    }
  });

  it("L2: a crash between checkpoint and deletion counts each line once, now and later", async () => {
    const layout = freshAuditLayout();
    const { fs, fail } = faultyFsSync();
    const audit = openAudit(layout, { fs });
    for (const n of numbers(1, 6)) audit.record("spilled", [victim(n)], 100);
    fail({ method: "rename", errno: "EIO", pathEnds: ".log.2" });
    audit.record("spilled", [victim(7)], 100);
    audit.close();
    expect(await spilledIn(layout)).toBe(2);
    const sum = async () => {
      const { here, gone } = await readAudit(nodeDurableFs, layout);
      return [here.spilled, gone.spilled, gone.files];
    };
    expect(await sum()).toEqual([7, 0, 0]);
    openAudit(layout).record("spilled", [victim(8)], 100);
    expect(await sum()).toEqual([6, 2, 1]);
  });

  it("L2: what says nothing of a file that is gone for good is a failing call, not a total", async () => {
    const { layout } = withFiles(1);
    expect(() => record(layout, join(layout.dir, "no such file"))).toThrow("ENOENT");
    expect(await spilledIn(layout)).toBeUndefined();
  });
});

describe("damage", () => {
  it("L2: a damaged checkpoint is passed over for its copy", async () => {
    const { layout, paths } = withFiles(2);
    for (const path of paths) record(layout, path);
    writeFileSync(checkpointPath(layout, 2), "{}");
    const { checkpoint, damaged, incomplete } = await readCheckpoint(nodeDurableFs, layout);
    expect(checkpoint?.spilled).toBe(3);
    expect(incomplete).toBe(false);
    expect(damaged).toEqual([".overflow-audit.checkpoint-00000002.json"]);
  });

  it("L2: without a whole one of the newest, its totals are known to be too low, from then on", async () => {
    const { layout, paths } = withFiles(3);
    record(layout, paths[0]);
    record(layout, paths[1]);
    writeFileSync(checkpointPath(layout, 2), "{}");
    writeFileSync(layout.auditCheckpointFile, "");
    expect(await readCheckpoint(nodeDurableFs, layout)).toMatchObject({
      checkpoint: { spilled: 1 },
      incomplete: true,
    });
    expect((await readAudit(nodeDurableFs, layout)).goneIncomplete).toBe(true);
    record(layout, paths[2]);
    const { checkpoint, incomplete } = await readCheckpoint(nodeDurableFs, layout);
    expect(checkpoint).toMatchObject({ spilled: 4, incomplete: true, generation: 3 });
    expect(incomplete).toBe(false);
    expect((await readAudit(nodeDurableFs, layout)).goneIncomplete).toBe(true);
  });

  it("L2: a restored copy alone is a checkpoint", async () => {
    const { layout, paths } = withFiles(2);
    record(layout, paths[0]);
    rmSync(checkpointPath(layout, 1));
    expect(await spilledIn(layout)).toBe(1);
    record(layout, paths[1]);
    expect(await spilledIn(layout)).toBe(3);
  });

  it("X1: links and directories at its names are not followed, and stop nothing", async () => {
    const { layout, paths } = withFiles(1);
    const secret = join(layout.dir, "..", "secret");
    writeFileSync(secret, "words");
    symlinkSync(secret, checkpointPath(layout, 1));
    mkdirSync(checkpointPath(layout, 2));
    record(layout, paths[0]);
    expect(await readCheckpoint(nodeDurableFs, layout)).toMatchObject({
      checkpoint: { spilled: 1, generation: 3, incomplete: true },
    });
    expect(readFileSync(secret, "utf8")).toBe("words");
  });
});
