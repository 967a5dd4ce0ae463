/** `memspool://health`: the checks, each with what to do about it. */
import { allowParameters, type ResourceDefinition } from "./define-resource.ts";

export const healthResource: ResourceDefinition = {
  name: "health",
  title: "Health",
  description: "ok, degraded or failing, check by check, with advice",
  uri: "memspool://health",
  matches: ({ path }) => path === "health",
  read: async (address, memory) => {
    allowParameters(address);
    return memory.health();
  },
};
