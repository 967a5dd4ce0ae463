/** Asking the store when it may be away: the answer goes on without it and says so. */
import { type ErrorReport, MemspoolError, reportError } from "../errors.ts";

export type StoreAnswer<T> =
  | { readonly value: T; readonly error?: undefined; readonly away?: undefined }
  | { readonly value?: undefined; readonly error: StoreErrorView; readonly away: MemspoolError };

export type StoreErrorView = Pick<ErrorReport, "code" | "message" | "retryable">;

/**
 * @returns the answer, or why there is none: as answers show it, and as it was thrown
 * @throws whatever is not the store's own unavailability
 */
export async function askStore<T>(ask: () => Promise<T>): Promise<StoreAnswer<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    const away =
      error instanceof MemspoolError &&
      (error.code === "STORE_UNAVAILABLE" || error.code === "STORE_TOO_NEW");
    if (!away) throw error;
    const { code, message, retryable } = reportError(error);
    return { error: { code, message, retryable }, away: error };
  }
}
