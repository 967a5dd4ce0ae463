/** Exit codes of failed commands; command-context.ts says what the numbers mean. */
import { type ErrorCode, MemspoolError } from "../errors.ts";
import { EXIT_FAILED, EXIT_USAGE } from "./command-context.ts";

/** What only the caller can put right by calling otherwise. */
const USAGE_CODES: ReadonlySet<ErrorCode> = new Set([
  "INVALID_ARGUMENT",
  "RECORD_INVALID",
  "RECORD_TOO_LARGE",
  "CURSOR_INVALID",
  "CONFIG_INVALID",
]);

export function exitCodeForError(error: unknown): number {
  return error instanceof MemspoolError && USAGE_CODES.has(error.code) ? EXIT_USAGE : EXIT_FAILED;
}
