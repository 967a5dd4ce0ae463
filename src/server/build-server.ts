/**
 * Puts tools, resources and prompts behind the MCP SDK's server, for one session on any transport. Only this
 * file and the transport import the SDK, so that moving to another version of it stays here.
 *
 * Requests other than `initialize` and `ping` go through one handler table of ours instead of the
 * SDK's registration: that keeps its schema library's texts out of our error messages, checks each
 * result once instead of twice, and lets arguments arrive exactly as they were sent.
 * Building, `initialize` and the lists never touch the memory.
 */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { ServerNotification } from "@modelcontextprotocol/sdk/types.js";
import type { Memory } from "../memory/memory.ts";
import { systemTiming, type Timing } from "../platform/timing.ts";
import { TOOLS } from "../tools/catalogue.ts";
import { clip } from "../tools/fit-answer.ts";
import { completionHandlers } from "./bind-completions.ts";
import { promptHandlers } from "./bind-prompts.ts";
import { resourceHandlers } from "./bind-resources.ts";
import { toolHandlers } from "./bind-tools.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { METHOD_NOT_FOUND, ProtocolError } from "./protocol-error.ts";
import type { RequestHandlers } from "./request-handler.ts";
import { RESOURCES } from "./resources/catalogue.ts";
import { Subscriptions } from "./subscriptions.ts";

export interface ServerParts {
  readonly memory: Memory;
  /** Of memspool. */
  readonly version: string;
  /** Aborted when the session starts to end: calls that only wait should give up. */
  readonly leaving?: AbortSignal;
  readonly timing?: Timing;
}

/** A server that is not connected yet. */
export function buildServer({ memory, version, leaving, timing }: ServerParts): Server {
  const server = new Server(
    { name: "memspool", title: "memspool", version },
    {
      capabilities: { tools: {}, resources: { subscribe: true }, prompts: {}, completions: {} },
      instructions: INSTRUCTIONS,
      jsonSchemaValidator: noValidator,
    },
  );
  const subscriptions = new Subscriptions({
    memory,
    timing: timing ?? systemTiming,
    tell: (uri) => {
      // Rejects once the session is over; then nobody is left to be told.
      server.sendResourceUpdated({ uri }).catch(() => {});
    },
  });
  const handlers: RequestHandlers = {
    ...toolHandlers(TOOLS, memory),
    ...resourceHandlers(RESOURCES, memory, subscriptions),
    ...promptHandlers(loadPrompts, memory),
    ...completionHandlers(loadPrompts, RESOURCES, memory),
  };
  const calls = new CallSignals(leaving);
  server.onclose = () => subscriptions.close();
  server.fallbackRequestHandler = async ({ method, params }, extra) => {
    const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
    if (handler === undefined) {
      const shown = JSON.stringify(clip(method, 64));
      throw new ProtocolError(METHOD_NOT_FOUND, `Method not found: ${shown}.`);
    }
    return calls.run(extra.signal, (signal) =>
      handler(params ?? {}, {
        signal,
        progressToken: params?._meta?.progressToken,
        notify: (notification, content) => {
          const message = { method: notification, params: content } as unknown;
          // Rejects once the session is over; then nobody is left to be told.
          extra.sendNotification(message as ServerNotification).catch(() => {});
        },
      }),
    );
  };
  return server;
}

async function loadPrompts() {
  const { PROMPTS } = await import("./prompts/catalogue.ts");
  return PROMPTS;
}

/**
 * Signals that the client's cancellation or the session's end aborts. One listener stands for all
 * calls: a listener a call, or AbortSignal.any, would pile up on a signal that outlives them.
 */
class CallSignals {
  readonly #running = new Set<AbortController>();
  readonly #leaving: AbortSignal | undefined;

  constructor(leaving: AbortSignal | undefined) {
    this.#leaving = leaving;
    leaving?.addEventListener("abort", () => {
      for (const controller of this.#running) controller.abort();
    });
  }

  async run<Result>(
    cancelled: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const controller = new AbortController();
    const abort = () => controller.abort();
    if (cancelled.aborted || this.#leaving?.aborted) abort();
    cancelled.addEventListener("abort", abort);
    this.#running.add(controller);
    try {
      return await work(controller.signal);
    } finally {
      this.#running.delete(controller);
      cancelled.removeEventListener("abort", abort);
    }
  }
}

/** The SDK would load a schema compiler for answers to questions that this server never asks. */
const noValidator = {
  getValidator: (): never => {
    throw new TypeError("memspool asks its clients nothing");
  },
};
