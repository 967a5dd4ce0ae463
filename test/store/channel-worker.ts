/** A StoreWorker whose other side runs in this thread, over a real MessageChannel. */
import { MessageChannel } from "node:worker_threads";
import type { StoreReader } from "../../src/store/memory-store.ts";
import { type StorePort, type StoreRequest, serveStore } from "../../src/store/store-protocol.ts";
import type {
  StartStoreWorker,
  StoreWorkerListeners,
} from "../../src/store/store-worker-handle.ts";

export interface ChannelWorkers {
  readonly start: StartStoreWorker;
  /** How many were started. */
  readonly started: () => number;
  /** How many were asked to end. */
  readonly ended: () => number;
  /** The newest one dies. */
  crash(error: unknown): void;
}

export function channelWorkers(open: () => Promise<StoreReader>): ChannelWorkers {
  const all: { die: (error?: unknown) => void }[] = [];
  let ended = 0;
  const start = ({ onReply, onEnd }: StoreWorkerListeners) => {
    const { port1: client, port2: server } = new MessageChannel();
    let alive = true;
    const die = (error?: unknown): void => {
      if (!alive) return;
      alive = false;
      client.close();
      onEnd(error);
    };
    client.on("message", onReply);
    client.on("close", () => die());
    serveStore(server as unknown as StorePort, open);
    all.push({ die });
    return {
      post: (request: StoreRequest) => client.postMessage(request),
      end: async () => {
        ended++;
        client.postMessage({ kind: "close" });
        await new Promise<void>((resolve) => client.once("close", resolve));
      },
    };
  };
  return {
    start,
    started: () => all.length,
    ended: () => ended,
    crash: (error) => all.at(-1)?.die(error),
  };
}

/** A reader of which only `get` matters; each call is answered by `answer`. */
export function fakeReader(answer: (ulid: string) => unknown): StoreReader & { closed: number } {
  const reader = {
    closed: 0,
    get: async (ulid: string) => await answer(ulid),
    close: async () => {
      reader.closed++;
    },
  };
  return reader as unknown as StoreReader & { closed: number };
}
