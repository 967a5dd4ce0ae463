/**
 * Our entry in a JSON file's map of MCP servers: `{"mcpServers": {"memspool": {…}}}`.
 *
 * Guarantees, beside those of an {@link Edit}: the new text is parsed again, and unless it says
 * exactly what was meant, and of everything else what it said before, it is refused.
 */
import { isDeepStrictEqual } from "node:util";
import type { Node } from "jsonc-parser";
import type { Edit, EditRequest, EntryState } from "./client.ts";
import { foreignEntry, invalidConfig } from "./config-errors.ts";
import { insertMember, removeMember, replaceValue } from "./json-members.ts";
import {
  containerOf,
  type JsonDialect,
  type JsonSource,
  jsonTree,
  plainValue,
  propertyOf,
} from "./json-text.ts";
import { serverWords, startsMemspool } from "./our-command.ts";

export interface ServerForm {
  /** Key of the map in the file's object. */
  readonly key: string;
  readonly dialect: JsonDialect;
  /** Whether the client writes `"type": "stdio"` into its own entries. */
  readonly typed: boolean;
}

interface Found {
  readonly root: Node;
  readonly map: Node | undefined;
  /** Key and value. */
  readonly entry: Node | undefined;
  readonly state: EntryState;
}

/** What a parsed file holds. */
type Json = Record<string, unknown>;

const EMPTY = "{}\n";

export function jsonServers(form: ServerForm): Edit {
  return {
    look: (text, request) => find(text, form, request).state,
    install: (given, request) => {
      const text = given.trim() === "" ? EMPTY : given;
      const found = find(text, form, request);
      const { name } = request.launch;
      if (found.state === "current") return given;
      if (found.state === "foreign" && !request.force) throw foreignEntry(request.path, name);
      const expected = plainValue(found.root) as Json;
      const value = entryFor(found.entry, form, request, found.state);
      expected[form.key] = { ...(expected[form.key] as Json | undefined), [name]: value };
      return proved(write(text, found, form, name, value), expected, sourceOf(form, request));
    },
    uninstall: (text, request) => {
      const { root, map, entry, state } = find(text, form, request);
      if (map === undefined || entry === undefined || state === "foreign") return text;
      const { name } = request.launch;
      const expected = plainValue(root) as Json;
      const alone = map.children?.length === 1;
      if (alone) delete expected[form.key];
      else delete (expected[form.key] as Json)[name];
      const after = alone
        ? removeMember(text, root, map.parent as Node)
        : removeMember(text, map, entry);
      return proved(after, expected, sourceOf(form, request));
    },
  };
}

function find(text: string, form: ServerForm, request: EditRequest): Found {
  const source = sourceOf(form, request);
  const root = jsonTree(text.trim() === "" ? EMPTY : text, source);
  const map = containerOf(text, root, form.key, "object", source);
  const entry = map && propertyOf(text, map, request.launch.name, source);
  return { root, map, entry, state: stateOf(entry, request) };
}

function stateOf(entry: Node | undefined, { launch }: EditRequest): EntryState {
  if (entry === undefined) return "absent";
  const words = wordsOfEntry(entry);
  if (words === undefined || !startsMemspool(words, ["serve"])) return "foreign";
  return isDeepStrictEqual(words, serverWords(launch, words)) ? "current" : "outdated";
}

function wordsOfEntry(entry: Node): string[] | undefined {
  const value = plainValue(entry.children?.[1] as Node) as Json | null;
  const words = [value?.command, ...(Array.isArray(value?.args) ? value.args : [])];
  return words.every((word) => typeof word === "string") ? words : undefined;
}

/** An entry of ours keeps what somebody added to it, such as `env`. */
function entryFor(
  entry: Node | undefined,
  { typed }: ServerForm,
  { launch }: EditRequest,
  state: EntryState,
): Json {
  const former = state === "outdated" && entry !== undefined ? wordsOfEntry(entry) : undefined;
  const [command, ...args] = serverWords(launch, former);
  if (former !== undefined) {
    return { ...(plainValue(entry?.children?.[1] as Node) as Json), command, args };
  }
  return { ...(typed ? { type: "stdio" } : {}), command, args };
}

function write(text: string, found: Found, form: ServerForm, name: string, value: Json): string {
  const { root, map, entry, state } = found;
  if (map === undefined) {
    return insertMember(text, root, root, { key: form.key, value: { [name]: value } });
  }
  if (entry === undefined) return insertMember(text, root, map, { key: name, value });
  const node = entry.children?.[1] as Node;
  if (state === "foreign") return replaceValue(text, root, node, value);
  // From the back, so that the places in front stay where the tree says.
  return (node.children ?? []).reduceRight((now, { children = [] }) => {
    const [key, old] = children as [Node, Node];
    const stays = isDeepStrictEqual(plainValue(old), value[key.value as string]);
    return stays ? now : replaceValue(now, root, old, value[key.value as string]);
  }, text);
}

/** Throws CLIENT_CONFIG_INVALID where our way of editing would have changed the file's meaning. */
export function proved(text: string, expected: unknown, source: JsonSource): string {
  const root = jsonTree(text, source);
  if (isDeepStrictEqual(plainValue(root), expected)) return text;
  throw invalidConfig(source.path, "its layout does not let our part be changed alone");
}

function sourceOf({ dialect }: ServerForm, { path }: EditRequest): JsonSource {
  return { path, dialect };
}
