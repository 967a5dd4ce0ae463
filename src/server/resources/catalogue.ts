/** Every resource, in the order in which a client lists them. */
import type { ResourceDefinition } from "./define-resource.ts";
import { eventsResource } from "./events.ts";
import { healthResource } from "./health.ts";
import { queueOverflowAuditResource } from "./queue-overflow-audit.ts";
import { queuePendingResource } from "./queue-pending.ts";
import { queueQuarantineResource } from "./queue-quarantine.ts";
import { recordResource } from "./record.ts";
import { sessionResource } from "./session.ts";
import { statusResource } from "./status.ts";

export const RESOURCES: readonly ResourceDefinition[] = Object.freeze([
  statusResource,
  healthResource,
  eventsResource,
  queuePendingResource,
  queueQuarantineResource,
  queueOverflowAuditResource,
  recordResource,
  sessionResource,
]);
