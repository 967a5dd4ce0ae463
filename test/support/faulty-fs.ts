/** File systems that note every call and fail the one a test names. */
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";

export interface Fault {
  readonly method: string;
  /** Which call of it, from 1; every call when absent. */
  readonly nth?: number;
  readonly errno: string;
  /** Only calls whose first argument ends so. */
  readonly pathEnds?: string;
  /** The call happens, and only its answer is lost. */
  readonly afterwards?: boolean;
}

export interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
}

export interface Faulty<F> {
  readonly fs: F;
  readonly calls: Call[];
  /** Set, replace or clear what fails; counting starts anew. */
  fail(fault: Fault | undefined): void;
  readonly methods: () => string[];
}

export function systemError(errno: string): Error {
  return Object.assign(new Error(`${errno}: made by a test`), { code: errno });
}

export function faultyFs(base: DurableFs = nodeDurableFs): Faulty<DurableFs> {
  return wrap(base, (error) => Promise.reject(error));
}

export function faultyFsSync(base: DurableFsSync = nodeDurableFsSync): Faulty<DurableFsSync> {
  return wrap(base, (error) => {
    throw error;
  });
}

function wrap<F extends object>(base: F, refuse: (error: Error) => unknown): Faulty<F> {
  const calls: Call[] = [];
  let fault: Fault | undefined;
  let seen = 0;
  const fails = (method: string, args: readonly unknown[]): boolean => {
    if (fault?.method !== method) return false;
    if (fault.pathEnds !== undefined && !String(args[0]).endsWith(fault.pathEnds)) return false;
    seen++;
    return fault.nth === undefined || fault.nth === seen;
  };
  const entries = Object.entries(base) as [string, (...args: unknown[]) => unknown][];
  const wrapped = Object.fromEntries(
    entries.map(([method, call]) => [
      method,
      (...args: unknown[]) => {
        calls.push({ method, args });
        if (!fails(method, args)) return call(...args);
        const error = systemError((fault as Fault).errno);
        if (!fault?.afterwards) return refuse(error);
        const done = call(...args);
        return done instanceof Promise ? done.then(() => refuse(error)) : refuse(error);
      },
    ]),
  );
  return {
    fs: wrapped as F,
    calls,
    fail: (next) => {
      fault = next;
      seen = 0;
    },
    methods: () => calls.map(({ method }) => method),
  };
}
