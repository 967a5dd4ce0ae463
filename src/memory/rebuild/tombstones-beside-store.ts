/**
 * What was forgotten, by the orders that lie in the queue directory: those that are carried out, and
 * those that are not yet.
 *
 * Guarantees: every id that an order named, also when the store that knew them is lost. Does not know
 * ids that only the store found to be the same record, nor recognises a turn under a new id.
 */
import { listOrders, readOrder } from "../../queue/forget-order.ts";
import type { StoredTombstone } from "../../store/forgetting.ts";
import type { SourceParts } from "./envelope-sources.ts";

export function* tombstonesBesideStore({
  fs,
  layout,
}: SourceParts): Generator<readonly StoredTombstone[]> {
  for (const directory of [layout.forgottenDir, layout.forgetDir]) {
    for (const request of listOrders(fs, directory)) {
      const order = readOrder(fs, directory, request);
      if (typeof order === "string") continue; // gone on, or damaged: it names nothing
      const { ulids, at: forgottenAt, reason } = order;
      yield ulids.map((ulid) => ({ ulid, request, forgottenAt, reason, replayHash: undefined }));
    }
  }
}
