/** The operation `events`: what the flight recorder of this process holds, cut to a page. Pure. */
import type { FlightReport } from "../events/flight-recorder.ts";
import { PAGE_LIMIT_DEFAULT } from "../record/limits.ts";
import type { MemoryParts } from "./parts.ts";
import { pageLimit } from "./whole-number.ts";

/** @throws MemspoolError INVALID_ARGUMENT */
export function lastEvents(
  { flight, startedAtMs }: Pick<MemoryParts, "flight" | "startedAtMs">,
  page: { limit?: number },
): FlightReport {
  const limit = pageLimit(page.limit, PAGE_LIMIT_DEFAULT);
  if (flight === undefined) {
    const started_at = new Date(startedAtMs).toISOString();
    return { started_at, dropped: 0, signals: [], snapshots: [] };
  }
  const { signals, snapshots, ...rest } = flight();
  return { ...rest, signals: signals.slice(0, limit), snapshots: snapshots.slice(0, limit) };
}
