/**
 * The file of the official memory server (@modelcontextprotocol/server-memory), a knowledge graph as
 * one JSON object a line:
 *   {"type":"entity","name":…,"entityType":…,"observations":[…]}
 *   {"type":"relation","from":…,"to":…,"relationType":…}
 * into records. Pure.
 *
 * Guarantees: an observation's text is the record's text, word for word. The same observation of the
 * same entity has the same idempotency key wherever and whenever it is read, so reading a file again
 * stores nothing twice. What can not become a record is said, with the reason; nothing is left out
 * in silence, fields that the format does not have are kept in the metadata.
 */
import { createHash } from "node:crypto";
import { CUE_BYTES_MAX, SHORT_STRING_BYTES_MAX } from "../../record/limits.ts";
import { type MemoryRecord, utf8Bytes } from "../../record/memory-record.ts";

export interface GraphContent {
  readonly records: readonly MemoryRecord[];
  /** What of the line is not in them, in words that hold nothing of it. */
  readonly faults: readonly string[];
}

/** What the caller adds to every record. */
export interface GraphAdditions {
  readonly project?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

export const SERVER_MEMORY_SOURCE = "server-memory";

type Fields = Readonly<Record<string, unknown>>;

export function isGraphLine(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { type } = value as Fields;
  return type === "entity" || type === "relation";
}

/** @param value a line's JSON value */
export function graphContent(value: unknown, additions: GraphAdditions): GraphContent {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { records: [], faults: ["it is no JSON object"] };
  }
  const line = value as Fields;
  if (line.type === "entity") return entityContent(line, additions);
  if (line.type === "relation") return relationContent(line, additions);
  return { records: [], faults: ["its type is neither entity nor relation"] };
}

function entityContent(line: Fields, additions: GraphAdditions): GraphContent {
  const { type: _type, name, entityType, observations, ...others } = line;
  if (typeof name !== "string") return { records: [], faults: ["name is no text"] };
  if (typeof entityType !== "string") return { records: [], faults: ["entityType is no text"] };
  if (!Array.isArray(observations)) return { records: [], faults: ["observations is no list"] };
  const metadata = { entity: name, entity_type: entityType, ...othersAs(others) };
  const about = { cue: name, tags: [entityType], metadata };
  const record = (surface: string, key: readonly string[]) =>
    recordFrom({ ...about, surface }, key, additions);
  if (observations.length === 0) {
    // The entity itself is all that is known; it must not vanish.
    return { records: [record(name, ["entity", name, entityType])], faults: [] };
  }
  const records: MemoryRecord[] = [];
  const faults: string[] = [];
  for (const [at, observation] of observations.entries()) {
    if (typeof observation === "string") {
      records.push(record(observation, ["observation", name, entityType, observation]));
    } else {
      faults.push(`observations[${at}] is no text`);
    }
  }
  return { records, faults };
}

function relationContent(line: Fields, additions: GraphAdditions): GraphContent {
  const { type: _type, from, to, relationType, ...others } = line;
  for (const [field, value] of Object.entries({ from, to, relationType })) {
    if (typeof value !== "string") return { records: [], faults: [`${field} is no text`] };
  }
  const [one, other, relation] = [from, to, relationType] as [string, string, string];
  const record = recordFrom(
    {
      surface: `${one} ${relation} ${other}`,
      tags: [relation],
      metadata: { from: one, to: other, relation_type: relation, ...othersAs(others) },
    },
    ["relation", one, relation, other],
    additions,
  );
  return { records: [record], faults: [] };
}

interface Described {
  readonly surface: string;
  readonly cue?: string;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Cue and tags only help to find it and are in the metadata too: too long, they stay there alone. */
function recordFrom(
  { surface, cue, tags, metadata }: Described,
  key: readonly string[],
  additions: GraphAdditions,
): MemoryRecord {
  const named = tags.filter((tag) => tag !== "" && utf8Bytes(tag) <= SHORT_STRING_BYTES_MAX);
  const allTags = [...new Set([...named, ...(additions.tags ?? [])])];
  return {
    surface,
    ...(cue === undefined || utf8Bytes(cue) > CUE_BYTES_MAX ? {} : { cue }),
    tier: "semantic",
    ...(additions.project === undefined ? {} : { project: additions.project }),
    source: SERVER_MEMORY_SOURCE,
    ...(allTags.length === 0 ? {} : { tags: allTags }),
    metadata: metadata as NonNullable<MemoryRecord["metadata"]>,
    idempotency_key: keyOf(key),
  };
}

function othersAs(others: Fields): { fields?: Fields } {
  return Object.keys(others).length === 0 ? {} : { fields: others };
}

function keyOf(parts: readonly string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return `${SERVER_MEMORY_SOURCE}:${hash}`;
}
