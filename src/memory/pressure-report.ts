/**
 * Gathers what is known of pressure: in a server from its own control, elsewhere from a fresh look at
 * the disk and from what the live servers of the data directory note of themselves.
 *
 * Guarantees: never fails. A disk that can not be looked at is reported as such; servers that say
 * nothing are left out.
 */

import type { Clock } from "../platform/clock.ts";
import { errnoOf } from "../platform/errno.ts";
import type { PressureFacts, SpoolState } from "../pressure/pressure-facts.ts";
import type { SpoolUsage } from "../queue/spool-usage.ts";
import type { EventView, PressureReport } from "./pressure-shapes.ts";
import {
  pressureView,
  type ServerView,
  type SpoolLimits,
  type SpoolView,
  spoolBlock,
  spoolBytes,
  worse,
} from "./pressure-view.ts";

export const EVENTS_SHOWN_MAX = 10;

/** A live server of the data directory, by its own word. */
export interface LiveServer extends ServerView {
  /** Oldest first. */
  readonly events: readonly EventView[];
}

export interface PressureSources {
  readonly limits: SpoolLimits;
  readonly clock: Clock;
  /** This process's own control and its last events; undefined where none runs. */
  readonly own?: () =>
    | { readonly facts: PressureFacts; readonly events: readonly EventView[] }
    | undefined;
  /** Looks at the disk now. */
  readonly measure: () => Promise<SpoolUsage>;
  /** What a look means to whoever knows of no earlier one. */
  readonly judge: (usage: SpoolUsage) => { readonly state: SpoolState; readonly reason: string };
  readonly servers: () => Promise<readonly LiveServer[]>;
}

export async function pressureReport(sources: PressureSources): Promise<PressureReport> {
  const own = sources.own?.();
  if (own === undefined) {
    const [fresh, servers] = await Promise.all([look(sources), sources.servers()]);
    return put(sources, withServers(fresh, servers), servers, lastOf(servers));
  }
  const { facts, events } = own;
  // Before the control's first look there is nothing to repeat yet.
  const spool = facts.spool.usage === undefined ? await look(sources) : facts.spool;
  return put(sources, spool, [{ ...facts, leads: true }], events);
}

function put(
  { limits, clock }: PressureSources,
  spool: SpoolView,
  servers: readonly ServerView[],
  events: readonly EventView[],
): PressureReport {
  const { usage } = spool;
  return {
    spool: spoolBlock(limits, spool, servers),
    spool_bytes: usage === undefined ? null : spoolBytes(limits, usage, clock.monotonicMs()),
    pressure: pressureView(spool, servers),
    events: events.slice(-EVENTS_SHOWN_MAX),
  };
}

async function look({ measure, judge }: PressureSources): Promise<SpoolView> {
  try {
    const usage = await measure();
    return { ...judge(usage), sinceMs: undefined, usage };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    // What captures will meet there, the obstacle and the doctor tell.
    return { state: "normal", reason: "", sinceMs: undefined, usage: undefined };
  }
}

/**
 * A server keeps a state a little longer than one look shows, so that it does not flicker: while one
 * does, captures through it are held up.
 */
function withServers(fresh: SpoolView, servers: readonly ServerView[]): SpoolView {
  const spools = servers.flatMap(({ spool }) => spool ?? []);
  const state = spools.reduce((worst, spool) => worse(worst, spool.state), fresh.state);
  const same = spools.filter((spool) => spool.state === state);
  const sinceMs = same.length === 0 ? undefined : Math.min(...same.map((spool) => spool.sinceMs));
  const reason = fresh.state === state ? fresh.reason : (same[0]?.reason ?? "");
  return { state, reason, sinceMs, usage: fresh.usage };
}

function lastOf(servers: readonly LiveServer[]): EventView[] {
  return servers
    .flatMap(({ events }) => events)
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}
