/**
 * Entry of the process that dies: runs one operation and kills itself with SIGKILL before, in the
 * midst of, or after its Nth file call. Speaks lines of JSON on stdout, each
 * written at once: a line that arrived was said before the death.
 */
import { writeSync } from "node:fs";
import { basename } from "node:path";
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import {
  type DurableFsSync,
  nodeDurableFsSync,
  writeAllSync,
} from "../../src/platform/durable-fs-sync.ts";
import { BROKEN, OPERATIONS, RECOVERY } from "./mortal-operations.ts";
import { sceneAt } from "./mortal-scene.ts";

export type DeathMoment = "before" | "midway" | "after";

export interface MortalTask {
  readonly operation: string;
  readonly home: string;
  /** Milliseconds that the child's clock is ahead. */
  readonly clockAheadMs: number;
  /** Every call counts as a step, or those alone that change what other processes see. */
  readonly counted: "every" | "changing";
  /** Absent: lives to the end. `at` counts steps from 1. */
  readonly death?: { readonly at: number; readonly when: DeathMoment } | undefined;
}

/** Dying beside any other call leaves a state that another death leaves too. */
const CHANGING = new Set(
  [
    "openExclusive openAppend openLog write truncate link rename unlink",
    "makeDirectory removeDirectory touch",
  ].flatMap((names) => names.split(" ")),
);

const task = JSON.parse(process.argv[2] ?? "") as MortalTask;
let count = 0;

function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable: the kernel ends the process before the call returns");
}

function dies(when: DeathMoment): boolean {
  return task.death?.at === count && task.death.when === when;
}

function say(message: object): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

type AnyCall = (...args: unknown[]) => unknown;

/** Half of the bytes get there. */
function writeHalf(args: readonly unknown[]): unknown[] {
  const [fd, bytes, offset, length] = args as [number, Uint8Array, number, number];
  return [fd, bytes, offset, Math.floor(length / 2)];
}

function mortal<F extends object>(base: F): F {
  const entries = Object.entries(base) as [string, AnyCall][];
  return Object.fromEntries(
    entries.map(([method, call]) => {
      if (task.counted === "changing" && !CHANGING.has(method)) return [method, call];
      const step = (...args: unknown[]): unknown => {
        count++;
        say({ step: method, of: typeof args[0] === "string" ? basename(args[0]) : "" });
        if (dies("before")) die();
        const halved = method === "write" && dies("midway");
        const done = call(...(halved ? writeHalf(args) : args));
        if (!halved && !dies("after")) return done;
        if (done instanceof Promise) return done.then(die);
        return die();
      };
      return [method, step];
    }),
  ) as F;
}

const sync: DurableFsSync = mortal(nodeDurableFsSync);
let rewrites = 0;
/** The steps that write-file-atomic takes, one by one. */
const replace: DurableFsSync["replace"] = (path, content, durability) => {
  const temp = `${path}.${process.pid}${rewrites++}`;
  const fd = sync.openExclusive(temp);
  writeAllSync(sync, fd, Buffer.from(content));
  if (durability === "fsync") sync.fsync(fd);
  sync.close(fd);
  sync.rename(temp, path);
};

const operation = [...OPERATIONS, ...BROKEN, RECOVERY].find(({ name }) => name === task.operation);
if (!operation) throw new Error(`unknown operation ${task.operation}`);
await operation.run(
  sceneAt(task.home, {
    fs: mortal<DurableFs>(nodeDurableFs),
    fsSync: { ...sync, replace },
    clock: { nowMs: () => Date.now() + task.clockAheadMs, monotonicMs: () => performance.now() },
    attempt: (surface) => say({ attempt: surface }),
    acknowledge: (ulid, surface) => say({ ulid, surface }),
  }),
);
say({ ended: true });
