/**
 * What a StoreClient and its worker say to each other, and the worker's side of it.
 *
 * Guarantees: one reply a call, in whatever order; a store that can not be opened fails the call and
 * is tried again by the next one; errors travel as reports, without a stack or a driver's text.
 * Strings and Maps arrive as they were (structured clone, or JSON), lone surrogates included.
 */
import { type ErrorReport, reportError } from "../errors.ts";
import type { EventFields, EventName } from "../events/catalogue.ts";
import type { StoreReader } from "./memory-store.ts";

export type StoreMethod = Exclude<keyof StoreReader, "close">;

export type StoreRequest =
  | {
      readonly kind: "call";
      readonly id: number;
      readonly method: StoreMethod;
      readonly args: unknown[];
    }
  /** Close the store, then the channel. */
  | { readonly kind: "close" };

export type StoreReply =
  | { readonly kind: "value"; readonly id: number; readonly value: unknown }
  /** A value of plain JSON as one string: hundreds of records cross so in a third of the time. */
  | { readonly kind: "json"; readonly id: number; readonly text: string }
  | { readonly kind: "error"; readonly id: number; readonly report: ErrorReport }
  | StoreEventMessage;

export type StoreEventMessage = {
  [N in EventName]: { readonly kind: "event"; readonly event: N; readonly fields: EventFields[N] };
}[EventName];

/** The worker's data: where the store is. */
export interface StoreWorkerData {
  readonly file: string;
}

/** One end of a channel, as a MessagePort or a worker's parentPort offers it. */
export interface StorePort {
  postMessage(message: StoreReply): void;
  on(event: "message", listener: (message: StoreRequest) => void): unknown;
  close(): void;
}

/** Answers with many records, made of what JSON can say. */
const AS_JSON: ReadonlySet<StoreMethod> = new Set<StoreMethod>(["candidates", "neighbours"]);

const METHODS: ReadonlySet<string> = new Set<StoreMethod>([
  "get",
  "lookup",
  "sameRecords",
  "matching",
  "candidates",
  "neighbours",
  "spellings",
  "timeline",
  "facets",
  "stats",
  "check",
  "auditRows",
  "auditCounts",
  "auditIndex",
]);

/** Answers calls on the port until it is told to close. */
export function serveStore(port: StorePort, open: () => Promise<StoreReader>): void {
  let opening: Promise<StoreReader> | undefined;

  const opened = async (): Promise<StoreReader> => {
    opening ??= open();
    try {
      return await opening;
    } catch (error) {
      opening = undefined;
      throw error;
    }
  };

  const answer = async (request: Extract<StoreRequest, { kind: "call" }>): Promise<void> => {
    const { id, method, args } = request;
    try {
      if (!METHODS.has(method)) throw new TypeError("the store has no such method");
      const store = await opened();
      const call = store[method] as (...given: unknown[]) => Promise<unknown>;
      const value = await call.apply(store, args);
      port.postMessage(
        AS_JSON.has(method)
          ? { kind: "json", id, text: JSON.stringify(value) }
          : { kind: "value", id, value },
      );
    } catch (error) {
      port.postMessage({ kind: "error", id, report: reportError(error) });
    }
  };

  const close = async (): Promise<void> => {
    try {
      await (await opening)?.close();
    } catch {
      // It failed to open, or to close: either way it is over, and calls have reported it.
    }
    port.close();
  };

  port.on("message", (request) => {
    void (request.kind === "call" ? answer(request) : close());
  });
}
