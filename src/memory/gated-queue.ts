/**
 * A queue behind the gate of pressure: for everybody who appends.
 *
 * Guarantees: the gate is passed before anything is written, and an acknowledgement still comes from
 * the append alone. A record that can never be stored is told so and does not wait. Refused by the
 * gate, a first attempt is not stored; of one that is repeated nobody can say.
 */
import type { Gate } from "../pressure/gate.ts";
import type { CaptureReceipt } from "../queue/appender.ts";
import type { CaptureQueue } from "../queue/capture-queue.ts";
import { ofRepeat } from "../queue/repeated-attempt.ts";
import type { MemoryRecord } from "../record/memory-record.ts";
import { utf8Bytes } from "../record/utf8-bytes.ts";

export type AppendingQueue = Pick<CaptureQueue, "append" | "adopt" | "check">;

/** Without a gate it is the queue itself. */
export function gatedQueue(queue: AppendingQueue, gate: Gate | undefined): AppendingQueue {
  if (gate === undefined) return queue;
  const pass = async (
    record: MemoryRecord,
    ulid: string | undefined,
    append: () => Promise<CaptureReceipt>,
  ): Promise<CaptureReceipt> => {
    const ticket = await gate
      .enter({ ...sizeOf(record), check: () => queue.check(record) })
      .catch((error: unknown) => {
        throw ofRepeat(error, ulid);
      });
    let stored: string | undefined;
    try {
      const receipt = await append();
      stored = receipt.ulid;
      return receipt;
    } finally {
      ticket.done(stored);
    }
  };
  return {
    check: (record) => queue.check(record),
    append: (record, options = {}) =>
      pass(record, options.retryUlid ?? options.retry_ulid, () => queue.append(record, options)),
    adopt: (record, known) => pass(record, known.ulid, () => queue.adopt(record, known)),
  };
}

/** Of anything that somebody took for a record; what is wrong with it the queue says. */
function sizeOf(record: unknown): { priority: "high" | "normal" | "low"; bytes: number } {
  const { surface, priority } = (record ?? {}) as Partial<Record<keyof MemoryRecord, unknown>>;
  return {
    priority: priority === "low" || priority === "high" ? priority : "normal",
    bytes: typeof surface === "string" ? utf8Bytes(surface) : 0,
  };
}
