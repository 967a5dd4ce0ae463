/**
 * The worker that answers questions from the store, so that no SQLite call runs on the thread that
 * talks to the client. A composition root: it builds its own reader, because a worker can not be
 * handed objects, and posts events to the main thread, which logs them.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Events } from "../events/catalogue.ts";
import { openStore } from "../store/open-store.ts";
import {
  type StoreEventMessage,
  type StorePort,
  type StoreWorkerData,
  serveStore,
} from "../store/store-protocol.ts";

if (parentPort === null) throw new TypeError("store-worker runs as a worker thread");
const port = parentPort as StorePort;
const { file } = workerData as StoreWorkerData;
const events: Events = {
  emit: (event, fields) => port.postMessage({ kind: "event", event, fields } as StoreEventMessage),
};
serveStore(port, () => openStore({ file, readOnly: true, events }));
