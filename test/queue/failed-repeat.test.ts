import { expect, it } from "vitest";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { faultyFs, faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

it.each(["openExclusive", "write", "fsync", "link"])(
  "Q4: a repeat whose %s fails says unknown: the attempt before it may be there",
  async (method) => {
    const queueDir = freshDirectory();
    const { ulid } = await new CaptureQueue({ queueDir }).append({ surface: "once" });
    const { fs, fail } = faultyFs();
    const queue = new CaptureQueue({ queueDir, fs });
    fail({ method, errno: "ENOSPC" });
    await expect(queue.append({ surface: "once" }, { retryUlid: ulid })).rejects.toMatchObject({
      code: "CAPTURE_FAILED",
      details: { stored: "unknown", ulid },
    });
    fail(undefined);
    await expect(queue.append({ surface: "once" }, { retryUlid: ulid })).resolves.toMatchObject({
      ulid,
    });
    expect(await queue.pendingCount()).toBe(1);
  },
);

it("Q4: so does one that can not even prepare the directories", async () => {
  const queueDir = freshDirectory();
  const { ulid } = await new CaptureQueue({ queueDir }).append({ surface: "once" });
  const { fs: fsSync, fail } = faultyFsSync();
  fail({ method: "fsync", errno: "EIO" });
  const queue = new CaptureQueue({ queueDir, fsSync });
  await expect(queue.append({ surface: "once" }, { retryUlid: ulid })).rejects.toMatchObject({
    details: { stored: "unknown", ulid },
  });
});

it("Q4: and one that comes to a queue that is closed", async () => {
  const queue = new CaptureQueue({ queueDir: freshDirectory() });
  const { ulid } = await queue.append({ surface: "once" });
  await queue.close();
  await expect(queue.append({ surface: "once" }, { retryUlid: ulid })).rejects.toMatchObject({
    code: "SHUTTING_DOWN",
    details: { stored: "unknown", ulid },
  });
});

it("Q4: a repeat with another text is refused as such: that text was never stored", async () => {
  const queue = new CaptureQueue({ queueDir: freshDirectory() });
  const { ulid } = await queue.append({ surface: "once" });
  await expect(queue.append({ surface: "other" }, { retryUlid: ulid })).rejects.toMatchObject({
    code: "ULID_CONFLICT",
    details: { stored: "no" },
  });
});
