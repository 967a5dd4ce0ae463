/** A listing of the queue as a resource: pages of entries without any record's text. */
import type { Page } from "../../memory/memory.ts";
import { fitPage } from "../../tools/fit-answer.ts";
import { type Address, pageParameters } from "./define-resource.ts";

/**
 * @param uri the resource's address without parameters
 * @param list one of the memory's listings
 * @returns the page; `next_uri` is the address of the next one
 */
export async function readQueuePage<Entry>(
  uri: string,
  address: Address,
  list: (page: { limit?: number; cursor?: string }) => Promise<Page<Entry>>,
): Promise<object> {
  const { limit, ...from } = pageParameters(address);
  return fitPage(
    limit,
    async (count) => {
      const page = await list({ limit: count, ...from });
      if (page.next_cursor === undefined) return page;
      const next = `cursor=${encodeURIComponent(page.next_cursor)}&limit=${limit}`;
      return { ...page, next_uri: `${uri}?${next}` };
    },
    (page) => page.entries.length,
  );
}
