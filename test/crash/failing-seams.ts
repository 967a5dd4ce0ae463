/**
 * Seams of which the Nth call fails: calls of both file systems and of the store are one sequence.
 *
 * Guarantees: every call is counted and logged; a call that is made to fail "before" has no effect,
 * one that fails "after" has its whole effect; close always closes, as Linux does. A held call
 * goes on when all the others have come to rest.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { MemspoolError } from "../../src/errors.ts";
import { systemError } from "../support/faulty-fs.ts";
import type { Seams } from "./crash-world.ts";

export const ERRNOS = ["EIO", "ENOSPC", "EMFILE", "EROFS"] as const;

export type StepFault =
  | { readonly kind: (typeof ERRNOS)[number]; readonly persistent: boolean }
  /** The call happens, and only its answer is lost. */
  | { readonly kind: "answer lost"; readonly persistent: false }
  | { readonly kind: "short write"; readonly persistent: boolean }
  | { readonly kind: "delay"; readonly persistent: false };

export interface LoggedCall {
  readonly method: string;
  readonly args: readonly unknown[];
  /** Others may go on meanwhile. */
  readonly waits: boolean;
  result?: unknown;
  failed?: boolean;
}

type Method = (...args: never[]) => unknown;

/** Turns without a new call after which the others count as at rest. */
const REST_TURNS = 4;
const HELD_TURNS_MAX = 10_000;

export class FailingSeams {
  readonly calls: LoggedCall[] = [];
  readonly seams: Seams;
  readonly #nth: number;
  #fault: StepFault | undefined;
  #running = 0;

  /** @param nth from 1 */
  constructor(base: Seams, nth: number, fault: StepFault | undefined) {
    this.#nth = nth;
    this.#fault = fault;
    this.seams = {
      ...base,
      fs: this.#wrap(base.fs, true),
      fsSync: this.#wrap(base.fsSync, false),
      commitBatch: this.#wrapOne("commitBatch", base.commitBatch, true) as Seams["commitBatch"],
      forget: this.#wrapOne("forget", base.forget, true) as Seams["forget"],
    };
  }

  /** The disk is well again. */
  heal(): void {
    this.#fault = undefined;
  }

  #wrap<F extends object>(base: F, waits: boolean): F {
    const entries = Object.entries(base) as [string, Method][];
    return Object.fromEntries(
      entries.map(([method, call]) => [method, this.#wrapOne(method, call, waits)]),
    ) as F;
  }

  #wrapOne(method: string, call: Method, waits: boolean): Method {
    return (...args: never[]) => {
      const logged: LoggedCall = { method, args, waits };
      this.calls.push(logged);
      const fault = this.#faultNow();
      return waits
        ? this.#waiting(logged, call, args, fault)
        : this.#atOnce(logged, call, args, fault);
    };
  }

  #faultNow(): StepFault | undefined {
    const count = this.calls.length;
    const fault = this.#fault;
    return fault && (count === this.#nth || (fault.persistent && count > this.#nth))
      ? fault
      : undefined;
  }

  async #waiting(
    logged: LoggedCall,
    call: Method,
    args: never[],
    fault: StepFault | undefined,
  ): Promise<unknown> {
    this.#running++;
    try {
      if (fault?.kind === "delay") await this.#othersAtRest();
      return await this.#answer(logged, call, args, fault);
    } catch (error) {
      logged.failed = true;
      throw error;
    } finally {
      this.#running--;
    }
  }

  async #answer(
    logged: LoggedCall,
    call: Method,
    args: never[],
    fault: StepFault | undefined,
  ): Promise<unknown> {
    const { before, after } = plan(logged.method, fault);
    if (before) throw before;
    logged.result = await call(...(shortened(logged.method, args, fault) as never[]));
    if (after) throw after;
    return logged.result;
  }

  #atOnce(logged: LoggedCall, call: Method, args: never[], fault: StepFault | undefined): unknown {
    const { before, after } = plan(logged.method, fault);
    try {
      if (before) throw before;
      logged.result = call(...(shortened(logged.method, args, fault) as never[]));
      if (after) throw after;
      return logged.result;
    } catch (error) {
      logged.failed = true;
      throw error;
    }
  }

  /** Until nobody but the held call is under way and nothing new begins. */
  async #othersAtRest(): Promise<void> {
    let still = 0;
    let count = this.calls.length;
    for (let turn = 0; turn < HELD_TURNS_MAX && still < REST_TURNS; turn++) {
      await nextTurn();
      const moved = this.#running > 1 || this.calls.length !== count;
      still = moved ? 0 : still + 1;
      count = this.calls.length;
    }
  }
}

/** What is thrown instead of the call, or after it. */
function plan(method: string, fault: StepFault | undefined): { before?: Error; after?: Error } {
  if (!fault || fault.kind === "delay" || fault.kind === "short write") return {};
  const kind = fault.kind === "answer lost" ? "EIO" : fault.kind;
  const error = method === "commitBatch" || method === "forget" ? storeAway() : systemError(kind);
  // A descriptor whose number is lost could never be closed by anybody.
  if (fault.kind === "answer lost" && !method.startsWith("open")) return { after: error };
  return method === "close" ? { after: error } : { before: error };
}

function shortened(method: string, args: readonly unknown[], fault: StepFault | undefined) {
  if (fault?.kind !== "short write" || method !== "write") return args;
  const [fd, bytes, offset, length] = args as [number, Uint8Array, number, number];
  return [fd, bytes, offset, Math.floor(length / 2)];
}

function storeAway(): MemspoolError {
  return new MemspoolError("STORE_UNAVAILABLE", "The store is away: a test made it so.");
}

/** Descriptors that were synced again after a failed fsync, instead of being opened anew. */
export function repeatedSyncs(calls: readonly LoggedCall[]): number {
  const failed = new Set<unknown>();
  let repeated = 0;
  for (const { method, args, result, failed: wentWrong } of calls) {
    if (method.startsWith("open")) failed.delete(result);
    if (method !== "fsync") continue;
    if (failed.has(args[0])) repeated++;
    if (wentWrong) failed.add(args[0]);
  }
  return repeated;
}
