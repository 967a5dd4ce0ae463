/** `memspool://status`: the same object as the tool queue_status. */
import { allowParameters, type ResourceDefinition } from "./define-resource.ts";

export const statusResource: ResourceDefinition = {
  name: "status",
  title: "Status",
  description: "State of memory: queue depth and age, counters, ingester, store",
  uri: "memspool://status",
  matches: ({ path }) => path === "status",
  read: async (address, memory) => {
    allowParameters(address);
    return memory.status();
  },
};
