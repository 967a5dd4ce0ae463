/**
 * A program that drains a queue into a store, without standing for election: with another of its
 * kind it is what two leaders would be. Says "ready", begins at the first byte on stdin, and writes
 * how many records it inserted.
 *
 * Arguments: queue directory, store's file, records a batch.
 */
import { once } from "node:events";
import { Ingester } from "../../src/ingest/ingester.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { openStore } from "../../src/store/open-store.ts";

const [queueDir, file, batchRecordsMax] = process.argv.slice(2) as [string, string, string];
const events = { emit: () => {} };
let inserted = 0;
const ingester = new Ingester({
  fs: nodeDurableFsSync,
  layout: queueLayout(queueDir),
  clock: systemClock,
  events,
  attemptsMax: 3,
  batchRecordsMax: Number(batchRecordsMax),
  pollMs: 1_000_000,
  random: Math.random,
  openStore: () => openStore({ file, events }),
  onReport: ({ totals }) => {
    inserted = totals.ingested;
  },
});
process.stdout.write("ready\n");
await once(process.stdin, "data");
await ingester.drain({ dueOrNot: false });
await ingester.stop();
process.stdout.write(`${inserted}\n`);
process.exitCode = 0;
process.stdin.destroy();
