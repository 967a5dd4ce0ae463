import { existsSync, mkdirSync, rmdirSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LEASE_STALE_MS } from "../../src/ingest/election.ts";
import { withLease } from "../../src/ingest/with-lease.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

function bench() {
  const layout = queueLayout(freshDirectory());
  ensureQueueDirectories(nodeDurableFsSync, layout);
  return { layout, clock: systemClock, fs: nodeDurableFsSync };
}

const act = async () => "done";

describe("withLease", () => {
  it("I6: holds the ingester's lease while the work runs, and gives it back however that ends", async () => {
    const parts = bench();
    const { leasePath } = parts.layout;
    expect(await withLease(parts, {}, async () => existsSync(leasePath))).toBe(true);
    expect(existsSync(leasePath)).toBe(false);
    const failure = new Error("failed");
    await expect(withLease(parts, {}, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(existsSync(leasePath)).toBe(false);
  });

  it("I6: while another process holds it the work does not begin, and the caller is told to wait", async () => {
    const parts = bench();
    mkdirSync(parts.layout.leasePath);
    let began = 0;
    let waiting = 0;
    const options = { waitMs: 0, onWaiting: () => void waiting++ };
    await expect(withLease(parts, options, async () => void began++)).rejects.toMatchObject({
      code: "LEASE_HELD",
      retryable: true,
    });
    expect([began, waiting]).toEqual([0, 1]);
  });

  it("I6: a lease that is given up meanwhile, or whose holder died, is waited for", async () => {
    const parts = bench();
    const { leasePath } = parts.layout;
    mkdirSync(leasePath);
    const onWaiting = () => rmdirSync(leasePath);
    expect(await withLease(parts, { onWaiting }, act)).toBe("done");
    mkdirSync(leasePath);
    const staleSeconds = (Date.now() - LEASE_STALE_MS - 1_000) / 1_000;
    const onDead = () => utimesSync(leasePath, staleSeconds, staleSeconds);
    expect(await withLease(parts, { onWaiting: onDead }, act)).toBe("done");
  });

  it("I6: a lease that the disk refuses is told as that, at once, not as another process's", async () => {
    const parts = bench();
    const layout = { ...parts.layout, leasePath: join(parts.layout.dir, "gone", "lease.lock") };
    let waiting = 0;
    const options = { onWaiting: () => void waiting++ };
    await expect(withLease({ ...parts, layout }, options, act)).rejects.toMatchObject({
      code: "DATA_DIR_UNUSABLE",
      details: { path: layout.leasePath, errno: "ENOENT" },
    });
    expect(waiting).toBe(0);
  });

  it("I6: waiting can be interrupted", async () => {
    const parts = bench();
    mkdirSync(parts.layout.leasePath);
    const controller = new AbortController();
    const onWaiting = () => controller.abort();
    await expect(withLease(parts, { signal: controller.signal, onWaiting }, act)).rejects.toThrow(
      /abort/i,
    );
  });

  it("I6: a lease that is lost during the work is noticed by it", async () => {
    const parts = bench();
    const outcome = await withLease(parts, {}, async (lease) => {
      lease.requireHeld();
      rmSync(parts.layout.leasePath, { recursive: true }); // somebody took it for stale
      await new Promise((resolve) => lease.signal.addEventListener("abort", resolve));
      try {
        lease.requireHeld();
      } catch (error) {
        return error;
      }
      return undefined;
    });
    expect(outcome).toMatchObject({ code: "LEASE_HELD" });
  });
});
