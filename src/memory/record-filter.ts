/** Filters: from what callers write to what stores and the pending overlay understand. Pure. */
import { MemspoolError } from "../errors.ts";
import { isoTimeSchema, type MemoryRecord, timeMs, withDefaults } from "../record/memory-record.ts";
import type { RecordFilter } from "../store/memory-store.ts";
import type { FilterInput } from "./memory.ts";

/**
 * @param currentProject of this process; "" is none, and then nothing is out of scope by default
 * @throws MemspoolError INVALID_ARGUMENT for a time that is none
 */
export function recordFilter(input: FilterInput, currentProject: string): RecordFilter {
  return {
    ...projectScope(input.project, currentProject),
    ...(input.session_id === undefined ? {} : { sessionId: input.session_id }),
    ...(input.role === undefined ? {} : { role: input.role }),
    ...(input.tier === undefined ? {} : { tier: input.tier }),
    ...(input.source === undefined ? {} : { source: input.source }),
    ...(input.tags === undefined || input.tags.length === 0 ? {} : { tags: input.tags }),
    ...(input.since === undefined ? {} : { sinceMs: bound("since", input.since) }),
    ...(input.until === undefined ? {} : { untilMs: bound("until", input.until) }),
  };
}

function projectScope(
  project: string | undefined,
  currentProject: string,
): { projects?: readonly string[] } {
  if (project === "*") return {};
  if (project !== undefined) return { projects: [project] };
  return currentProject === "" ? {} : { projects: [currentProject, ""] };
}

function bound(name: string, time: string): number {
  if (isoTimeSchema.safeParse(time).success) return timeMs(time);
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    `${name} is not an ISO 8601 date or date-time. Write it as 2026-03-01 or 2026-03-01T09:30:00Z.`,
  );
}

/** `occurred_at`, else `appended_at`, in milliseconds since 1970. */
export function recordTimeMs(record: MemoryRecord, appendedAt: string): number {
  return timeMs(record.occurred_at ?? appendedAt);
}

/** Whether a record that is not in a store yet passes the filter, as a store would decide. */
export function matchesFilter(
  filter: RecordFilter,
  record: MemoryRecord,
  appendedAt: string,
): boolean {
  const { project, tier } = withDefaults(record);
  const atMs = recordTimeMs(record, appendedAt);
  return (
    (filter.projects === undefined || filter.projects.includes(project)) &&
    (filter.sessionId === undefined || filter.sessionId === record.session_id) &&
    (filter.role === undefined || filter.role === record.role) &&
    (filter.tier === undefined || filter.tier === tier) &&
    (filter.source === undefined || filter.source === record.source) &&
    (filter.tags ?? []).every((tag) => record.tags?.includes(tag)) &&
    (filter.sinceMs === undefined || atMs >= filter.sinceMs) &&
    (filter.untilMs === undefined || atMs <= filter.untilMs)
  );
}
