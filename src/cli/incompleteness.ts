/** What an answer in pages lacks, told alike by `search`, `recent` and `quarantine`. */
import type { Completeness } from "../memory/memory.ts";
import type { Output } from "./output.ts";
import { counted } from "./printable.ts";

/** Says what an answer lacks, and how to get more. */
export function noteIncompleteness(
  output: Output,
  result: Completeness & { next_cursor?: string },
): void {
  if (result.store_error !== undefined) {
    const { code, message } = result.store_error;
    output.note(`Only pending and spilled records were looked at: ${code}: ${message}`);
  }
  if (result.unsearched !== undefined && result.unsearched > 0) {
    const left = counted(result.unsearched, "record");
    output.note(`Not looked at: ${left}, pending or spilled. Run: memspool drain`);
  }
  if (result.next_cursor !== undefined) output.note(`More: --cursor ${result.next_cursor}`);
}
