/**
 * What a resource is: plain data and two functions, like a tool. src/server/bind-resources.ts is
 * the one place that turns it into protocol.
 */
import { MemspoolError } from "../../errors.ts";
import type { Memory } from "../../memory/memory.ts";
import { CURSOR_CHARS_MAX, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX } from "../../record/limits.ts";
import { clip } from "../../tools/fit-answer.ts";
import type { Completer } from "../completer.ts";

const SCHEME = "memspool://";
const URI_CHARS_MAX = 8_192;

/** A resource's URI, taken apart. The path is still percent-encoded. */
export interface Address {
  readonly path: string;
  readonly query: URLSearchParams;
}

export interface ResourceDefinition {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Where it is, if it is one resource. */
  readonly uri?: string;
  /** Where they are, as an RFC 6570 template, if there are many or it has pages. */
  readonly uriTemplate?: string;
  /** Proposes values for the template's variables. */
  readonly variables?: Readonly<Record<string, Completer>>;
  readonly matches: (address: Address) => boolean;
  /** The content, to be shown as JSON. NOT_FOUND, INVALID_ARGUMENT, CURSOR_INVALID. */
  readonly read: (address: Address, memory: Memory) => Promise<object>;
}

/**
 * Takes a URI apart by hand: the URL class folds "." and ".." in a path, and either can be a
 * session's name.
 *
 * @returns undefined for what is no address of ours
 */
export function parseAddress(uri: string): Address | undefined {
  if (!uri.startsWith(SCHEME) || uri.length > URI_CHARS_MAX) return undefined;
  const [path = "", ...query] = uri.slice(SCHEME.length).split("?");
  return { path, query: new URLSearchParams(query.join("?")) };
}

/** The decoded rest of the path behind a prefix, or undefined if there is none. */
export function pathAfter(address: Address, prefix: string): string | undefined {
  if (!address.path.startsWith(prefix) || address.path.length === prefix.length) return undefined;
  try {
    return decodeURIComponent(address.path.slice(prefix.length));
  } catch {
    // A URIError: not percent-encoded as URIs are, so it names nothing.
    return undefined;
  }
}

/** @throws MemspoolError INVALID_ARGUMENT naming a parameter that the resource does not have */
export function allowParameters({ query }: Address, ...names: string[]): void {
  const unknown = [...query.keys()].find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    `Unknown parameter ${JSON.stringify(clip(unknown, 64))}. ` +
      `This resource takes: ${names.join(", ") || "none"}.`,
  );
}

/** `cursor` and `limit`, as every paged resource takes them. */
export function pageParameters(address: Address): { limit: number; cursor?: string } {
  allowParameters(address, "cursor", "limit");
  const limit = countParameter(address, "limit", PAGE_LIMIT_DEFAULT, 1, PAGE_LIMIT_MAX);
  const cursor = address.query.get("cursor");
  if (cursor === null || cursor === "") return { limit };
  if (cursor.length > CURSOR_CHARS_MAX) {
    throw new MemspoolError("CURSOR_INVALID", "The cursor is not one of ours: it is too long.");
  }
  return { limit, cursor };
}

/** @throws MemspoolError INVALID_ARGUMENT naming the parameter and its range */
export function countParameter(
  { query }: Address,
  name: string,
  absent: number,
  min: number,
  max: number,
): number {
  const text = query.get(name);
  if (text === null || text === "") return absent;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= min && count <= max) return count;
  throw new MemspoolError("INVALID_ARGUMENT", `${name} must be a whole number ${min} to ${max}.`);
}
