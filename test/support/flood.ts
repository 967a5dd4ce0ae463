/** Several clients, each with a server of its own, that offer captures faster than they are taken. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { BUILT_ENTRY } from "./built-program.ts";
import type { Acknowledgement } from "./capturing-server.ts";
import { freshDirectory } from "./fresh-directory.ts";

const CHILD = resolve("test/support/flood-child.mjs");

export interface FloodOptions {
  readonly home: string;
  readonly producers: number;
  /** Of all producers together. */
  readonly perSecond: number;
  readonly seconds: number;
  /** Unanswered captures of one producer. */
  readonly inFlightMax: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface FloodCounts {
  readonly offered: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly refused: number;
}

export interface Flood {
  /** Of the producers' servers. */
  readonly pids: readonly number[];
  /** Resolves when every capture is answered and every server has left. */
  readonly over: Promise<{ counts: FloodCounts; acknowledged: Acknowledgement[] }>;
}

/** Resolves when all servers are at work. */
export async function startFlood(options: FloodOptions): Promise<Flood> {
  const directory = freshDirectory();
  const producers = await Promise.all(
    Array.from({ length: options.producers }, (_, n) => startProducer(options, `p${n}`, directory)),
  );
  const over = Promise.all(producers.map(({ ended }) => ended)).then((all) => ({
    counts: all.map(({ counts }) => counts).reduce(add),
    acknowledged: all.flatMap(({ acknowledged }) => acknowledged),
  }));
  return { pids: producers.map(({ pid }) => pid), over };
}

async function startProducer(options: FloodOptions, name: string, directory: string) {
  const { home, env = {}, seconds, inFlightMax } = options;
  const file = join(directory, name);
  const perSecond = options.perSecond / options.producers;
  const task = { main: BUILT_ENTRY, home, env, name, perSecond, seconds, inFlightMax, file };
  const child = spawn(process.execPath, [CHILD, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = linesOf(child);
  const { pid } = JSON.parse(await lines.next()) as { pid: number };
  onTestFinished(() => endBoth(child, pid));
  const ended = lines.next().then((line) => ({
    counts: JSON.parse(line) as FloodCounts,
    acknowledged: acknowledgedIn(file, name),
  }));
  return { pid, ended };
}

function linesOf(child: ChildProcess): { next: () => Promise<string> } {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const read = lines[Symbol.asyncIterator]();
  return {
    next: async () => {
      const { value, done } = await read.next();
      if (done) throw new Error("a producer of the flood ended before its time");
      return value;
    },
  };
}

async function endBoth(child: ChildProcess, pid: number): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, "exit");
  process.kill(pid, "SIGKILL");
  child.kill("SIGKILL");
  await gone;
}

function acknowledgedIn(file: string, name: string): Acknowledgement[] {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => {
    const [ulid = "", number] = line.split(" ");
    return { ulid, surface: `${name}/${number}` };
  });
}

function add(one: FloodCounts, other: FloodCounts): FloodCounts {
  return {
    offered: one.offered + other.offered,
    sent: one.sent + other.sent,
    acknowledged: one.acknowledged + other.acknowledged,
    refused: one.refused + other.refused,
  };
}
