/** A stdio session inside this process: our transport's streams, written and read line by line. */
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import type { Memory } from "../../src/memory/memory.ts";
import { type ServeStdioOptions, serveStdio } from "../../src/server/serve-stdio.ts";
import { FakeMemory } from "./fake-memory.ts";
import { RecordedEvents } from "./recorded-events.ts";

export interface Answer {
  id: string | number | null;
  result?: Record<string, unknown>;
  error?: { code: number; message: string };
  method?: string;
}

export const INITIALIZE = {
  jsonrpc: "2.0",
  id: "init",
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "0.0.0" },
  },
};

export class StdioSession {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly signals = new EventEmitter();
  readonly events = new RecordedEvents();
  readonly answers: Answer[] = [];
  /** What happened around the session, in order. */
  readonly steps: string[] = [];
  readonly exitCode: Promise<number>;
  /** Resolves when draining may start. */
  readonly initialized: Promise<void>;
  ppid = 100;
  #partial = "";
  #waiting: (() => void)[] = [];

  constructor(memory: Memory = new FakeMemory(), options: Partial<ServeStdioOptions> = {}) {
    let initialized = () => {};
    this.initialized = new Promise((resolve) => {
      initialized = resolve;
    });
    this.stdout.on("data", (chunk: Buffer) => this.#read(chunk.toString("utf8")));
    this.exitCode = serveStdio({
      memory,
      events: this.events,
      version: "0.0.0",
      stdin: this.stdin,
      stdout: this.stdout,
      stderr: this.stderr,
      signals: this.signals,
      getPpid: () => this.ppid,
      ppidPollMs: 5,
      onInitialized: () => {
        this.steps.push("initialized");
        initialized();
      },
      onLeaving: () => this.steps.push("leaving"),
      close: async () => {
        this.steps.push("closed");
      },
      ...options,
    });
  }

  send(...messages: (object | string)[]): void {
    const lines = messages.map((message) =>
      typeof message === "string" ? message : JSON.stringify(message),
    );
    this.stdin.write(`${lines.join("\n")}\n`);
  }

  /** Sends a tool call and returns its answer. */
  call(id: string | number, name: string, args: object = {}): Promise<Answer> {
    this.send({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } });
    return this.answerTo(id);
  }

  answerTo(id: string | number | null): Promise<Answer> {
    return this.#until(() => this.answers.find((answer) => answer.id === id));
  }

  answerCount(count: number): Promise<Answer[]> {
    return this.#until(() => (this.answers.length >= count ? this.answers : undefined));
  }

  #read(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() ?? "";
    for (const line of lines) this.answers.push(JSON.parse(line));
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const look of waiting) look();
  }

  #until<Found>(find: () => Found | undefined): Promise<Found> {
    return new Promise((resolve) => {
      const look = () => {
        const found = find();
        if (found === undefined) this.#waiting.push(look);
        else resolve(found);
      };
      look();
    });
  }
}
