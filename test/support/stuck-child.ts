/**
 * A process whose worker is inside a native call: SQLite waits there for a lock that nobody gives up.
 * It asks the worker to end as the ingester's host does, and then leaves: by `process.exit` alone, or
 * as a server does.
 */
import { Worker } from "node:worker_threads";
import { ended } from "../../src/ingest/ingest-host.ts";
import { endDespiteStuckThreads } from "../../src/platform/stuck-threads.ts";

const [binding, file, how] = process.argv.slice(2) as [string, string, string];
const worker = new Worker(
  `const { parentPort } = require("node:worker_threads");
   import(${JSON.stringify(binding)}).then(({ DatabaseSync }) => {
     const db = new DatabaseSync(${JSON.stringify(file)}, { timeout: 600000 });
     parentPort.postMessage("waiting");
     db.exec("BEGIN IMMEDIATE");
   });`,
  { eval: true },
);
worker.once("message", () => void leave());

async function leave(): Promise<void> {
  await ended(worker);
  process.stdout.write("ended\n");
  if (how === "as a server") endDespiteStuckThreads();
  process.exit(0);
}
