/** `memspool://sessions/{session_id}`: a conversation from its beginning, over all projects. */
import { fitPage } from "../../tools/fit-answer.ts";
import { completeSession } from "../completer.ts";
import { pageParameters, pathAfter, type ResourceDefinition } from "./define-resource.ts";

const PREFIX = "sessions/";

export const sessionResource: ResourceDefinition = {
  name: "session",
  title: "A session",
  description: "A session's records in order, oldest first, as snippets; next_uri leads on",
  uriTemplate: "memspool://sessions/{session_id}",
  variables: { session_id: completeSession },
  matches: (address) => pathAfter(address, PREFIX) !== undefined,
  read: async (address, memory) => {
    const sessionId = pathAfter(address, PREFIX) as string;
    const { limit, ...from } = pageParameters(address);
    return fitPage(
      limit,
      async (count) => {
        const page = await memory.recent({
          session_id: sessionId,
          project: "*",
          order: "oldest",
          limit: count,
          ...from,
        });
        const content = { session_id: sessionId, ...page };
        if (page.next_cursor === undefined) return content;
        const next = `cursor=${encodeURIComponent(page.next_cursor)}&limit=${limit}`;
        return { ...content, next_uri: `memspool://${address.path}?${next}` };
      },
      (page) => page.records?.length ?? 0,
    );
  },
};
