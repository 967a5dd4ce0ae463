/** A program that asks a store one question through a worker and then has nothing left to do. */
import { pathToFileURL } from "node:url";
import { silentEvents } from "../../src/events/catalogue.ts";
import { StoreClient } from "../../src/store/store-client.ts";
import { storeWorkerAt } from "../../src/store/store-worker-handle.ts";

const [worker, file] = process.argv.slice(2) as [string, string];
const client = new StoreClient({
  startWorker: storeWorkerAt(pathToFileURL(worker), { file }),
  events: silentEvents,
});
const { records } = await client.stats();
process.stdout.write(`${records} records\n`);
