/**
 * `memspool://events`: the flight recorder's last signals and snapshots, newest first. Fewer than
 * were asked for where they would not fit into an answer.
 */
import { PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX } from "../../record/limits.ts";
import { fitPage } from "../../tools/fit-answer.ts";
import { allowParameters, countParameter, type ResourceDefinition } from "./define-resource.ts";

const URI = "memspool://events";

export const eventsResource: ResourceDefinition = {
  name: "events",
  title: "Events",
  description: "What this server noticed lately: signals, and a snapshot for each second",
  uri: URI,
  uriTemplate: `${URI}{?limit}`,
  matches: ({ path }) => path === "events",
  read: async (address, memory) => {
    allowParameters(address, "limit");
    const limit = countParameter(address, "limit", PAGE_LIMIT_DEFAULT, 1, PAGE_LIMIT_MAX);
    return fitPage(
      limit,
      (count) => memory.events({ limit: count }),
      ({ signals, snapshots }) => Math.max(signals.length, snapshots.length),
    );
  },
};
