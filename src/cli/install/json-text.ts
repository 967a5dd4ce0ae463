/**
 * Reads a client's JSON file into a tree that knows where each part stands in the text, so that it
 * can be edited without being written anew.
 *
 * Guarantees: what the client itself could not read is refused, with line and column; so are a file
 * that is no object and a key that is written twice, of which clients take one or the other.
 */
import {
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { invalidConfig, positionAt } from "./config-errors.ts";

/** `json`: no comments, no trailing commas; `jsonc`: both, as editors allow. */
export type JsonDialect = "json" | "jsonc";

export interface JsonSource {
  readonly path: string;
  readonly dialect: JsonDialect;
}

/** The tree of a text that is not empty. Throws CLIENT_CONFIG_INVALID. */
export function jsonTree(text: string, source: JsonSource): Node {
  const errors: ParseError[] = [];
  const lenient = source.dialect === "jsonc";
  const root = parseTree(text, errors, {
    disallowComments: !lenient,
    allowTrailingComma: lenient,
  });
  const [first] = errors;
  if (first !== undefined || root === undefined) {
    const problem = first === undefined ? "nothing is in it" : inWords(first);
    throw invalidConfig(
      source.path,
      `it is not valid ${source.dialect === "json" ? "JSON" : "JSON with comments"} (${problem})`,
      positionAt(text, first?.offset ?? 0),
    );
  }
  if (root.type !== "object") {
    throw invalidConfig(
      source.path,
      `it holds a JSON ${root.type} and no object`,
      positionAt(text, root.offset),
    );
  }
  return root;
}

/** `PropertyNameExpected` → `property name expected`. */
function inWords({ error }: ParseError): string {
  return printParseErrorCode(error)
    .replace(/([A-Z])/g, " $1")
    .trim()
    .toLowerCase();
}

/** The property node of a key. Throws CLIENT_CONFIG_INVALID if the key is there twice. */
export function propertyOf(
  text: string,
  parent: Node,
  key: string,
  source: JsonSource,
): Node | undefined {
  const found = (parent.children ?? []).filter((child) => child.children?.[0]?.value === key);
  const [first, second] = found;
  if (second !== undefined) {
    throw invalidConfig(source.path, `"${key}" is there twice`, positionAt(text, second.offset));
  }
  return first;
}

/** The value below a key, which must have this type. Throws CLIENT_CONFIG_INVALID if it has another. */
export function containerOf(
  text: string,
  parent: Node,
  key: string,
  type: "object" | "array",
  source: JsonSource,
): Node | undefined {
  const value = propertyOf(text, parent, key, source)?.children?.[1];
  if (value === undefined || value.type === type) return value;
  throw invalidConfig(source.path, `"${key}" is not an ${type}`, positionAt(text, value.offset));
}

/** What a node says, as `JSON.parse` would give it. */
export function plainValue(node: Node): unknown {
  // The library's objects have no prototype, and so equal no other.
  return JSON.parse(JSON.stringify(getNodeValue(node)));
}
