/** `memspool://records/{ulid}`: one record, its text in pages, as memory_get returns it. */
import { MemspoolError } from "../../errors.ts";
import { GET_CHARS_DEFAULT, RECORD_TEXT_BYTES_MAX } from "../../record/limits.ts";
import { ulidSchema } from "../../record/memory-record.ts";
import { fitText } from "../../tools/fit-answer.ts";
import { completeUlid } from "../completer.ts";
import {
  allowParameters,
  countParameter,
  pathAfter,
  type ResourceDefinition,
} from "./define-resource.ts";

const PREFIX = "records/";

export const recordResource: ResourceDefinition = {
  name: "record",
  title: "A record",
  description: "A record word for word; next_uri leads to the rest of a long text",
  uriTemplate: "memspool://records/{ulid}",
  variables: { ulid: completeUlid },
  matches: (address) => pathAfter(address, PREFIX) !== undefined,
  read: async (address, memory) => {
    allowParameters(address, "offset");
    const id = ulidSchema.safeParse(pathAfter(address, PREFIX));
    if (!id.success) throw new MemspoolError("NOT_FOUND", "A record's id is a ULID.");
    const ulid = id.data;
    const offset = countParameter(address, "offset", 0, 0, RECORD_TEXT_BYTES_MAX);
    const page = fitText(await memory.get({ ulid, offset, length: GET_CHARS_DEFAULT }));
    if (page.next_offset === undefined) return page;
    return { ...page, next_uri: `memspool://records/${ulid}?offset=${page.next_offset}` };
  },
};
