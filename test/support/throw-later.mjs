/**
 * Loaded into a server before its own code (`node --import`): throws in it at SIGUSR2, in the way and
 * the thread that THROW_LATER names: `exception`, `rejection`, `ingester`, `store` or `again` (an exception,
 * and others on each turn behind it). What it throws quotes the text in THROWN_TEXT, as JSON.parse does.
 */
import { isMainThread, workerData } from "node:worker_threads";

const way = process.env.THROW_LATER;
const channel = new BroadcastChannel("throw-later");
channel.unref();

function parseText() {
  JSON.parse(process.env.THROWN_TEXT);
}

const WAYS = {
  exception: () => setImmediate(parseText),
  rejection: () => void Promise.resolve().then(parseText),
  ingester: () => channel.postMessage("ingester"),
  store: () => channel.postMessage("store"),
  again: () => {
    setInterval(parseText, 1);
    setImmediate(parseText);
  },
};

if (isMainThread) {
  process.on("SIGUSR2", WAYS[way]);
} else {
  const thread = workerData.queueDir === undefined ? "store" : "ingester";
  channel.onmessage = ({ data }) => {
    if (data === thread) setImmediate(parseText);
  };
}
