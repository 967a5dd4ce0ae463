/**
 * Entry of the ingester's worker thread: a composition root of its own, because a worker can not be
 * handed built objects. Reads, commits and unlinks here cost the client's thread nothing.
 *
 * Guarantees: makes no database before the first batch, and opens the one that is there, for its index
 * may be an earlier version's; ends after "stop" with its batch finished.
 */
import { existsSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { Events, MemspoolEvent } from "../events/catalogue.ts";
import type {
  FromIngestWorker,
  IngestWorkerData,
  ToIngestWorker,
} from "../ingest/ingest-messages.ts";
import { Ingester } from "../ingest/ingester.ts";
import { LeaderFile } from "../ingest/leader-file.ts";
import { trimmingHere } from "../ingest/trimming-here.ts";
import { systemClock } from "../platform/clock.ts";
import { nodeDurableFsSync } from "../platform/durable-fs-sync.ts";
import { queueLayout } from "../queue/layout.ts";
import { keepReserve } from "../queue/reserve.ts";

const port = parentPort;
if (!port) throw new TypeError("the ingester's worker is started by memspool, not by hand");

const data = workerData as IngestWorkerData;
const say = (message: FromIngestWorker) => port.postMessage(message);
const events: Events = {
  emit: (event, fields) => say({ type: "event", event: { event, fields } as MemspoolEvent }),
};
const layout = queueLayout(data.queueDir);
const leaderFile = new LeaderFile(nodeDurableFsSync, layout, systemClock);
const ticking = setInterval(() => leaderFile.tick(), 1_000);

const ingester = new Ingester({
  fs: nodeDurableFsSync,
  layout,
  clock: systemClock,
  events,
  attemptsMax: data.attemptsMax,
  batchRecordsMax: data.batchRecordsMax,
  pollMs: data.pollMs,
  retention: data.retention,
  trimming: trimmingHere(data, layout, systemClock),
  random: Math.random,
  openStore: async () => {
    const { openIngestStore } = await import("../ingest/open-ingest-store.ts");
    return openIngestStore(data.storeFile, layout, events);
  },
  storeIsThere: () => existsSync(data.storeFile),
  onReport: (report) => {
    leaderFile.note(report);
    if (report.state === "idle") keepReserve({ fs: nodeDurableFsSync, layout });
    say({ type: "report", report });
  },
});

port.on("message", (message: ToIngestWorker) => {
  if (message.type === "wake") ingester.wake();
  else if (message.type === "flush") ingester.flush();
  else if (message.type === "trim") ingester.trim();
  else if (message.type === "pace") ingester.pace(message.share);
  else {
    clearInterval(ticking);
    void ingester.stop().then(() => {
      say({ type: "stopped" });
      port.close();
    });
  }
});
ingester.start();
