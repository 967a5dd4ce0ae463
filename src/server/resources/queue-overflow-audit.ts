/** `memspool://queue/overflow-audit`: which records left the full queue, when, and where to. */
import type { ResourceDefinition } from "./define-resource.ts";
import { readQueuePage } from "./queue-page.ts";

const URI = "memspool://queue/overflow-audit";

export const queueOverflowAuditResource: ResourceDefinition = {
  name: "queue-overflow-audit",
  title: "Overflow audit log",
  description: "Records that left the full queue, newest first, with totals; without their text",
  uri: URI,
  uriTemplate: `${URI}{?cursor,limit}`,
  matches: ({ path }) => path === "queue/overflow-audit",
  read: (address, memory) => readQueuePage(URI, address, (page) => memory.audited(page)),
};
