// Stand-in for the ingester's worker. What it does is said by the name of its store file:
// "obedient" ends when told to, "deaf" never returns from its loop, "faulty" throws when woken,
// "doomed" ends at once.
import { parentPort, workerData } from "node:worker_threads";

const say = (state) =>
  parentPort.postMessage({
    type: "report",
    report: {
      state,
      lastBatch: null,
      delayed: null,
      pace: { share: 1, pausedMs: 0 },
      totals: { ingested: 0, duplicates: 0, quarantined: 0 },
    },
  });

process.stdout.write("not for the protocol\n");
parentPort.postMessage({
  type: "event",
  event: { event: "store_recovered", fields: { away_ms: 1 } },
});
say("idle");
if (workerData.storeFile === "doomed") process.exit(1);
parentPort.on("message", ({ type }) => {
  if (workerData.storeFile === "deaf") for (;;) {}
  if (workerData.storeFile === "faulty") throw new Error("made by a test");
  say(type === "wake" ? "draining" : "delayed");
  if (type === "stop") parentPort.close();
});
