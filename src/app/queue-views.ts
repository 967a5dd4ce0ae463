/** This process's pictures of what is queued, without what is being forgotten. Opens nothing. */
import type { Clock } from "../platform/clock.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import { ForgetView } from "../queue/forget-view.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { OverflowView } from "../queue/overflow-view.ts";
import { PendingView } from "../queue/pending-view.ts";

export function queueViews(layout: QueueLayout, clock: Clock) {
  const forgets = new ForgetView(nodeDurableFs, layout, clock);
  const hidden = () => forgets.hidden();
  return {
    view: new PendingView(nodeDurableFs, layout, clock, { hidden }),
    spill: new OverflowView(nodeDurableFs, layout, clock, { hidden }),
    forgets,
  };
}
