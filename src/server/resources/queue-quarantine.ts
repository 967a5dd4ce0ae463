/** `memspool://queue/quarantine`: what was set aside, and why. */
import type { ResourceDefinition } from "./define-resource.ts";
import { readQueuePage } from "./queue-page.ts";

const URI = "memspool://queue/quarantine";

export const queueQuarantineResource: ResourceDefinition = {
  name: "queue-quarantine",
  title: "Quarantined records",
  description: "Records kept but set aside, with the reason; without their text",
  uri: URI,
  uriTemplate: `${URI}{?cursor,limit}`,
  matches: ({ path }) => path === "queue/quarantine",
  read: (address, memory) => readQueuePage(URI, address, (page) => memory.quarantined(page)),
};
