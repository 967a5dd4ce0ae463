/** A queue that takes out of records what privacy asks for: for imports, which append directly. */
import type { AppendingQueue } from "../gated-queue.ts";
import type { Privacy } from "./privacy.ts";

type Appending = Pick<AppendingQueue, "append" | "adopt">;

/** With privacy off it is the queue itself. */
export function privateQueue(queue: Appending, privacy: Privacy): Appending {
  if (!privacy.on) return queue;
  return {
    append: async (record, options) => queue.append((await privacy.apply(record)).record, options),
    adopt: async (record, known) => queue.adopt((await privacy.apply(record)).record, known),
  };
}
