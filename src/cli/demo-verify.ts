/**
 * Compares what was acknowledged with what is there.
 *
 * Guarantees: every acknowledged record is read through another server than the one that gave the
 * receipt, and counted as whole only if it lies in the store and every byte of text and every field
 * is as captured; everything stored is listed, so that a record stored twice, or one that nobody
 * captured, shows.
 */

import { isDeepStrictEqual } from "node:util";
import { MemspoolError } from "../errors.ts";
import type { GetResult, RecentResult } from "../memory/memory.ts";
import type { DemoRecord } from "./demo-corpus.ts";
import type { Acknowledged } from "./demo-fleet.ts";
import { getWhole } from "./get.ts";

/** Something that answers tool calls; a server, or a test's stand-in. */
export interface ToolCaller {
  call<Answer>(tool: string, args: Record<string, unknown>): Promise<Answer>;
}

export interface Verification {
  /** Keys of records that were acknowledged and are not in the store. */
  readonly lost: string[];
  readonly altered: string[];
  /** Keys of records that the store holds more than once, or that nobody captured. */
  readonly twice: string[];
  readonly stored: number;
}

const IN_FLIGHT = 8;
const LIST_LIMIT = 100;
const LIST_PAGES_MAX = 1_000;

export async function verifyStore(
  acknowledged: readonly Acknowledged[],
  serverBut: (by: number) => Promise<ToolCaller>,
): Promise<Verification> {
  const lost: string[] = [];
  const altered: string[] = [];
  /** Id in the store → key, through aliases. */
  const keys = new Map<string, string>();
  await inParallel(acknowledged, async ({ ulid, demo, by }) => {
    const found = await findRecord(await serverBut(by), ulid);
    if (found === undefined || found.record.state !== "ingested") lost.push(demo.key);
    else if (!isAsCaptured(found, demo)) altered.push(demo.key);
    if (found !== undefined) keys.set(found.record.duplicate_of ?? found.record.ulid, demo.key);
  });
  const listed = await listAll(await serverBut(0));
  const seen = new Set<string>();
  const twice = listed.filter((ulid) => {
    const key = keys.get(ulid);
    const surplus = key === undefined || seen.has(key);
    if (key !== undefined) seen.add(key);
    return surplus;
  });
  return { lost, altered, twice, stored: listed.length };
}

function isAsCaptured({ record }: GetResult, { record: captured }: DemoRecord): boolean {
  if (!Buffer.from(record.surface).equals(Buffer.from(captured.surface))) return false;
  return Object.entries(captured).every(([field, value]) =>
    isDeepStrictEqual(record[field as keyof typeof record], value),
  );
}

/** All pages of a record; undefined if nobody knows the id. */
export async function findRecord(server: ToolCaller, ulid: string): Promise<GetResult | undefined> {
  try {
    return await getWhole({ get: (input) => server.call("memory_get", { ...input }) }, ulid);
  } catch (error) {
    if (error instanceof MemspoolError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

/** Every id of the store, each as often as it is listed. */
async function listAll(server: ToolCaller): Promise<string[]> {
  const ulids: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < LIST_PAGES_MAX; page++) {
    const answer = await server.call<RecentResult>("memory_recent", {
      project: "*",
      limit: LIST_LIMIT,
      ...(cursor === undefined ? {} : { cursor }),
    });
    ulids.push(...(answer.records ?? []).map((record) => record.ulid));
    cursor = answer.next_cursor;
    if (cursor === undefined) return ulids;
  }
  throw new MemspoolError("INTERNAL", "The list of records does not end. Please report this.");
}

async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const work = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}
