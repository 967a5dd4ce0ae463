/** The store's own checks (settings read back, integrity) as one line. Pure. */
import type { HealthCheck } from "../memory/memory.ts";
import type { StoreCheck } from "../store/memory-store.ts";
import { degraded, failing, ok } from "./check-result.ts";

export type StoreAnswer =
  | { readonly checks: readonly StoreCheck[] }
  /** It could not be asked. */
  | { readonly error: { readonly message: string; readonly retryable: boolean } }
  /** Nothing was ever ingested. */
  | { readonly absent: true };

export function judgeStore(answer: StoreAnswer): HealthCheck {
  const name = "store";
  if ("absent" in answer) return ok(name, "no store yet; the first ingest makes it");
  if ("error" in answer) {
    const { message, retryable } = answer.error;
    const advice = "Captures stay safe in the queue meanwhile; see docs/ERRORS.md for the code.";
    return retryable ? degraded(name, message, advice) : failing(name, message, advice);
  }
  const bad = answer.checks.filter((check) => !check.ok);
  if (bad.length > 0) {
    return failing(
      name,
      bad.map((check) => `${check.name}: ${check.detail}`).join("; "),
      "Stop all servers, copy the data directory elsewhere, and look at the store's files.",
    );
  }
  return ok(name, answer.checks.map((check) => `${check.name}: ${check.detail}`).join(", "));
}
