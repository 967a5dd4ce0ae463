/** `memspool://queue/pending`: what is acknowledged and not yet in the store. */
import type { ResourceDefinition } from "./define-resource.ts";
import { readQueuePage } from "./queue-page.ts";

const URI = "memspool://queue/pending";

export const queuePendingResource: ResourceDefinition = {
  name: "queue-pending",
  title: "Pending records",
  description: "Captured records on their way into the store, oldest first; without their text",
  uri: URI,
  uriTemplate: `${URI}{?cursor,limit}`,
  matches: ({ path }) => path === "queue/pending",
  read: (address, memory) => readQueuePage(URI, address, (page) => memory.pending(page)),
};
