/**
 * Loaded into a server before its own code (`node --import`): throws in it at SIGUSR2, in the way and
 * the thread that THROW_LATER names: `exception`, `rejection`, `ingester`, `store`, `again` (an exception,
 * and others on each turn behind it) or `stuck` (an exception while the ingester's thread is inside a
 * native call that takes for ever). What it throws quotes the text in THROWN_TEXT, as JSON.parse does.
 */
import { pbkdf2Sync } from "node:crypto";
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
  stuck: () => {
    channel.onmessage = () => setTimeout(parseText, 100);
    channel.postMessage("stuck");
  },
};

if (isMainThread) {
  process.on("SIGUSR2", WAYS[way]);
} else {
  const thread = workerData.queueDir === undefined ? "store" : "ingester";
  channel.onmessage = ({ data }) => {
    if (data === thread) setImmediate(parseText);
    if (data === "stuck" && thread === "ingester") {
      channel.postMessage("inside");
      pbkdf2Sync("a", "b", 2_000_000_000, 64, "sha512");
    }
  };
}
