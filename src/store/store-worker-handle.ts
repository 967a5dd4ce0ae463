/**
 * A worker thread as the StoreClient sees it: somewhere to post to, replies, and an end.
 *
 * Guarantees: the thread does not keep the process alive; its end is reported once, whether it
 * crashed, failed to load or was asked to go; `end` settles within twice its limit.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { noteStuckThread, noteThread } from "../platform/stuck-threads.ts";
import type { StoreReply, StoreRequest, StoreWorkerData } from "./store-protocol.ts";

export interface StoreWorkerListeners {
  readonly onReply: (reply: StoreReply) => void;
  /** The worker is gone; `error` if it crashed. */
  readonly onEnd: (error: unknown) => void;
}

export interface StoreWorker {
  post(request: StoreRequest): void;
  /** Lets the worker close its store for `closeMs`, then terminates it. */
  end(closeMs: number): Promise<void>;
}

export type StartStoreWorker = (listeners: StoreWorkerListeners) => StoreWorker;

/**
 * @param url of the built worker entry
 * @param onError hears of an error that nobody caught in the worker, before its end
 */
export function storeWorkerAt(
  url: URL,
  data: StoreWorkerData,
  onError?: (error: unknown) => void,
): StartStoreWorker {
  return ({ onReply, onEnd }) => {
    // stdout belongs to the protocol: what a worker prints is not passed through to it. Nor is it
    // read, because a stream that is being read keeps the process alive.
    const worker = new Worker(url, { workerData: data, stdout: true });
    noteThread(worker);
    let failure: unknown;
    const ended = new Promise<void>((resolve) => {
      worker.once("exit", () => {
        resolve();
        onEnd(failure);
      });
    });
    worker.on("message", onReply);
    worker.on("error", (error) => {
      failure = error;
      onError?.(error);
    });
    // Last, because listening for messages takes a reference.
    worker.unref();
    return {
      post: (request) => worker.postMessage(request),
      end: async (closeMs) => {
        worker.postMessage({ kind: "close" } satisfies StoreRequest);
        if (await settlesWithin(ended, closeMs)) return;
        // A thread inside a native call ends when the call returns; nobody waits for that.
        if (!(await settlesWithin(worker.terminate(), closeMs))) noteStuckThread(worker);
      },
    };
  };
}

async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timeOut = new AbortController();
  const timer = delay(ms, false, { signal: timeOut.signal }).catch(() => false);
  const settled = await Promise.race([promise.then(() => true), timer]);
  timeOut.abort();
  return settled;
}
