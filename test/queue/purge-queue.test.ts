import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { nodeDurableFsSync as fs } from "../../src/platform/durable-fs-sync.ts";
import { Claims } from "../../src/queue/claim.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { purgePending } from "../../src/queue/purge-queue.ts";
import { IngestBench } from "../support/ingest-bench.ts";

it("S6: a pending record that could not be removed is not held for ever by who tried", async () => {
  const { layout, clock, ...bench } = new IngestBench();
  const { ulid } = await bench.queue.append({ surface: "to forget" });
  let failures = 1;
  const disk = {
    ...fs,
    unlink: (path: string) => {
      if (path === pendingPath(layout, ulid) && failures-- > 0) {
        throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
      }
      fs.unlink(path);
    },
  };
  const claims = new Claims(disk, layout, clock, newMarkMemory());
  const parts = { fs: disk, layout, claims };
  expect(() => purgePending(parts, new Set([ulid]))).toThrow("EIO");
  expect(purgePending(parts, new Set([ulid]))).toEqual([]);
  expect(existsSync(pendingPath(layout, ulid))).toBe(false);
});
