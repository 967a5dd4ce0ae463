/**
 * Entry of a process that carries out orders to forget and kills itself with SIGKILL before its Nth
 * step: a file call that changes something, or a transaction of the store. Says how many there were.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { Purger } from "../../src/ingest/purger.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { Claims } from "../../src/queue/claim.ts";
import { listOrders, settleOrder } from "../../src/queue/forget-order.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { openDatabase } from "../../src/store/sqlite/driver.ts";

/** Mistakes that somebody could make, and that the rig must catch. */
export type ForgetMistake = "settled first" | "scrub left out" | "no tombstones";

export interface ForgetTask {
  readonly home: string;
  /** Counts from 1; 0 lives to the end. */
  readonly dieAt: number;
  readonly mistake?: ForgetMistake | undefined;
}

const task = JSON.parse(process.argv[2] ?? "") as ForgetTask;
let steps = 0;

function step(): void {
  steps++;
  if (steps === task.dieAt) process.kill(process.pid, "SIGKILL");
}

const CHANGING = ["openExclusive", "openAppend", "write", "fsync", "link", "rename", "unlink"];

function mortal(fs: DurableFsSync): DurableFsSync {
  const entries = Object.entries(fs) as [string, (...args: unknown[]) => unknown][];
  const counted = entries.map(([name, call]) => {
    if (!CHANGING.includes(name)) return [name, call];
    const dying = (...args: unknown[]): unknown => {
      step();
      return call(...args);
    };
    return [name, dying];
  });
  return Object.fromEntries(counted) as unknown as DurableFsSync;
}

const fs = mortal(nodeDurableFsSync);
const layout = queueLayout(join(task.home, "queue"));
const file = join(task.home, "store", "memspool.db");
const events = { emit: () => {} };

async function open(): Promise<MemoryStore> {
  const store = await openStore({ file });
  return {
    forget: async (order) => {
      step();
      const outcome = await store.forget(order);
      if (task.mistake === "no tombstones") {
        const db = openDatabase(file, 1_000);
        db.exec("DELETE FROM tombstones");
        db.close();
      }
      step();
      return outcome;
    },
    tracesOf: (request) => store.tracesOf(request),
    scrub: async () => {
      if (task.mistake === "scrub left out") return "clean";
      const isStopping = () => {
        step();
        return false;
      };
      return store.scrub({ isStopping });
    },
    close: () => store.close(),
  } as Partial<MemoryStore> as MemoryStore;
}

if (task.mistake === "settled first") {
  const orders = listOrders(fs, layout.forgetDir);
  const { forgetDir } = layout;
  for (const request of orders) settleOrder(fs, layout, request);
  for (const request of orders) {
    nodeDurableFsSync.link(
      join(layout.forgottenDir, `${request}.json`),
      join(forgetDir, `${request}.json`),
    );
  }
}
const store = await open();
const purger = new Purger({
  fs,
  layout,
  clock: systemClock,
  events,
  claims: new Claims(fs, layout, systemClock),
});
const { left } = await purger.run({ openStore: async () => store, isStopping: () => false });
await store.close();
writeSync(1, `${JSON.stringify({ steps, left })}\n`);
