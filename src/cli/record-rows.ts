/** What `search` and `recent` print alike. */
import type { Completeness } from "../memory/memory.ts";
import type { Output } from "./output.ts";

/** Says what an answer lacks, and how to get more. */
export function noteIncompleteness(
  output: Output,
  result: Completeness & { next_cursor?: string },
): void {
  if (result.store_error !== undefined) {
    const { code, message } = result.store_error;
    output.note(`Only pending records were looked at: ${code}: ${message}`);
  }
  if (result.unsearched !== undefined && result.unsearched > 0) {
    output.note(`${result.unsearched} pending records were not looked at; run: memspool drain`);
  }
  if (result.next_cursor !== undefined) output.note(`More: --cursor ${result.next_cursor}`);
}
