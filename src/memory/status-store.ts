/**
 * The store's part of the status.
 *
 * Guarantees: an answer within STORE_ANSWER_MS, whatever the store does; a store that is not there is
 * not asked, because that would make one.
 */
import { reportError } from "../errors.ts";
import type { StatusReport } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";

const STORE_ANSWER_MS = 2_000;

export async function storeStatus(
  parts: Pick<MemoryParts, "store" | "storeExists">,
): Promise<StatusReport["store"]> {
  if (!(await parts.storeExists())) {
    return { kind: "sqlite", state: "unopened", records: null, bytes: null, error: null };
  }
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), STORE_ANSWER_MS);
  });
  try {
    // Whatever the store fails with, status is what says so.
    const asked = parts.store.stats().then(
      (value) => ({ value }),
      (error: unknown) => ({ error: reportError(error) }),
    );
    const answer = await Promise.race([asked, silence]);
    if (answer && "value" in answer) {
      const { kind, records, bytes } = answer.value;
      return { kind, state: "ok", records, bytes, error: null };
    }
    const { code, message } = answer?.error ?? {
      code: "STORE_UNAVAILABLE",
      message: `The store gave no answer within ${STORE_ANSWER_MS / 1_000} s.`,
    };
    return {
      kind: "sqlite",
      state: "unavailable",
      records: null,
      bytes: null,
      error: { code, message },
    };
  } finally {
    clearTimeout(timer);
  }
}
