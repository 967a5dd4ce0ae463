/** The store's own checks, and whether it has what was acknowledged, as one line. Pure. */
import type { HealthCheck } from "../memory/memory.ts";
import type { SpotCheck } from "../memory/spot-check.ts";
import type { StoreCheck } from "../store/memory-store.ts";
import { degraded, failing, ok } from "./check-result.ts";

export interface StoreFailure {
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Why a store is away that no waiting brings back, as in store/sqlite/errors.ts. */
const LASTING: ReadonlySet<unknown> = new Set(["corrupt", "notadb", "schema", "foreign"]);

export type StoreAnswer =
  | { readonly checks: readonly StoreCheck[]; readonly sample: SpotCheck }
  /** It could not be asked. */
  | { readonly error: StoreFailure }
  /** It is not there; what was acknowledged may be in the queue. */
  | { readonly absent: true; readonly sample: SpotCheck };

export function judgeStore(answer: StoreAnswer): HealthCheck {
  const name = "store";
  if ("error" in answer) {
    const { message, retryable, details } = answer.error;
    const passes = retryable && !LASTING.has(details?.reason);
    const advice = "Captures stay safe in the queue meanwhile; see docs/ERRORS.md for the code.";
    return passes ? degraded(name, message, advice) : failing(name, message, advice);
  }
  const bad = "absent" in answer ? [] : answer.checks.filter((check) => !check.ok);
  if (bad.length > 0) {
    return failing(
      name,
      bad.map((check) => `${check.name}: ${check.detail}`).join("; "),
      "Make a new one from what can be read: stop all servers, then memspool rebuild.",
    );
  }
  const { lookedFor, nowhere } = answer.sample;
  if (nowhere > 0) {
    const what = "absent" in answer ? "the store is gone, and " : "";
    return degraded(
      name,
      `${what}${nowhere} of ${lookedFor} acknowledged records that were looked for are nowhere`,
      "See what is missing: memspool verify; then bring back what the archive holds: stop all " +
        "servers, then memspool rebuild.",
    );
  }
  if ("absent" in answer) return ok(name, "no store yet; the first ingest makes it");
  return ok(name, answer.checks.map((check) => `${check.name}: ${check.detail}`).join(", "));
}
