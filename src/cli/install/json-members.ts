/**
 * Puts a member into a JSON object or array as text, and takes one out again.
 *
 * Guarantees: every byte that is not the member's own, its comma's or the blanks' between them
 * stays: comments, order, indentation, line ends, a trailing comma. Taking out what was put in gives
 * the text of before, except that blanks inside an empty object are not remembered.
 *
 * Written here because jsonc-parser's `modify` formats the whole line that it touches, which in a
 * file without line breaks is the whole file.
 */
import type { Node } from "jsonc-parser";

interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** `{"key": value}` of an object, or a value of an array. */
export interface Member {
  /** Absent in an array. */
  readonly key?: string;
  readonly value: unknown;
}

const INDENT_DEFAULT = "  ";

/** @param root of the whole text; @param parent the object or array to put it into, last */
export function insertMember(text: string, root: Node, parent: Node, member: Member): string {
  const last = parent.children?.at(-1);
  if (last === undefined) return fillEmpty(text, root, parent, member);
  const lastEnd = endOf(last);
  const comma = afterTrivia(text, lastEnd);
  const trailing = text[comma] === ",";
  const first = parent.children?.[0] as Node;
  if (!text.slice(parent.offset, first.offset).includes("\n")) {
    const blank = /^\s/.test(text.slice(parent.offset + 1)) || spaced(text, root) ? " " : "";
    const written = inline(member, spaced(text, root));
    return trailing
      ? splice(text, [{ from: comma + 1, to: comma + 1, text: `${blank}${written},` }])
      : splice(text, [{ from: lastEnd, to: lastEnd, text: `,${blank}${written}` }]);
  }
  const indent = indentOfLine(text, first.offset);
  const line = `${eolOf(text)}${indent}${onLines(member, text, root, indent)}`;
  const at = afterLineComments(text, trailing ? comma + 1 : lastEnd);
  if (trailing) return splice(text, [{ from: at, to: at, text: `${line},` }]);
  return splice(text, [
    { from: lastEnd, to: lastEnd, text: "," },
    { from: at, to: at, text: line },
  ]);
}

/** @param child a property of an object or a value of an array */
export function removeMember(text: string, parent: Node, child: Node): string {
  const members = parent.children ?? [];
  const at = members.indexOf(child);
  const end = endOf(child);
  const comma = afterTrivia(text, end);
  const followed = text[comma] === ",";
  const previous = members[at - 1];
  if (previous === undefined) {
    if (!followed) return splice(text, [blanksAround(text, parent, child.offset, end)]);
    // What stands before the first member, indentation or comments, now stands before the second.
    const next = members[at + 1];
    if (next === undefined)
      return splice(text, [blanksAround(text, parent, child.offset, comma + 1)]);
    return splice(text, [{ from: child.offset, to: afterBlanks(text, comma + 1), text: "" }]);
  }
  const from = beforeBlanks(text, child.offset);
  if (followed) {
    return splice(text, [
      { from, to: end, text: "" },
      { from: comma, to: comma + 1, text: "" },
    ]);
  }
  const former = afterTrivia(text, endOf(previous));
  return splice(text, [
    { from: former, to: former + 1, text: "" },
    { from: Math.max(from, former + 1), to: end, text: "" },
  ]);
}

/** A value in place of another, with its lines indented as the place asks for. */
export function replaceValue(text: string, root: Node, node: Node, value: unknown): string {
  const broken = text.slice(node.offset, endOf(node)).includes("\n");
  const flat = !broken && node.type !== "string" && text.slice(0, node.offset).includes("\n");
  const written =
    flat || isOneLine(text, root)
      ? inline({ value }, spaced(text, root))
      : onLines({ value }, text, root, indentOfLine(text, node.offset));
  return splice(text, [{ from: node.offset, to: endOf(node), text: written }]);
}

function fillEmpty(text: string, root: Node, parent: Node, member: Member): string {
  const from = parent.offset + 1;
  const to = endOf(parent) - 1;
  const inner = text.slice(from, to);
  if (inner.trim() === "" && parent !== root && isOneLine(text, root)) {
    return splice(text, [{ from, to, text: inline(member, spaced(text, root)) }]);
  }
  const outer = indentOfLine(text, parent.offset);
  const indent = outer + indentUnit(text, root);
  const line = `${eolOf(text)}${indent}${onLines(member, text, root, indent)}`;
  if (inner.trim() === "")
    return splice(text, [{ from, to, text: `${line}${eolOf(text)}${outer}` }]);
  // Comments stay above; a comment to the end of a line must keep that end.
  const at = from + inner.trimEnd().length;
  const close = inner.slice(inner.trimEnd().length).includes("\n") ? "" : `${eolOf(text)}${outer}`;
  return splice(text, [{ from: at, to: at, text: line + close }]);
}

function onLines(member: Member, text: string, root: Node, indent: string): string {
  const value = JSON.stringify(member.value, null, indentUnit(text, root))
    // A list of arguments reads better in one line, as clients write it in their examples.
    .replace(/\[\n\s*((?:"(?:[^"\\]|\\.)*"(?:,\n\s*)?)+)\n\s*\]/g, (_all, items: string) => {
      return `[${items.replace(/,\n\s*(?=")/g, ", ")}]`;
    })
    .replaceAll("\n", `${eolOf(text)}${indent}`);
  return member.key === undefined ? value : `${JSON.stringify(member.key)}: ${value}`;
}

function inline({ key, value }: Member, withBlanks: boolean): string {
  const written = withBlanks
    ? JSON.stringify(value, null, 1)
        .replace(/([[{])\n\s*|\n\s*(?=[\]}])/g, "$1")
        .replace(/\n\s*/g, " ")
    : JSON.stringify(value);
  if (key === undefined) return written;
  return `${JSON.stringify(key)}:${withBlanks ? " " : ""}${written}`;
}

/** Whether the file puts a blank behind its colons. */
function spaced(text: string, root: Node): boolean {
  const first = root.children?.[0];
  if (first?.colonOffset === undefined) return true;
  return /^\s/.test(text.slice(first.colonOffset + 1));
}

function isOneLine(text: string, root: Node): boolean {
  return (root.children ?? []).length > 0 && !text.slice(root.offset, endOf(root)).includes("\n");
}

function indentUnit(text: string, root: Node): string {
  const first = root.children?.[0];
  if (first === undefined || isOneLine(text, root)) return INDENT_DEFAULT;
  return indentOfLine(text, first.offset) || INDENT_DEFAULT;
}

function indentOfLine(text: string, offset: number): string {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  return /^[ \t]*/.exec(text.slice(start, offset))?.[0] ?? "";
}

function eolOf(text: string): string {
  return /\r?\n/.exec(text)?.[0] ?? "\n";
}

function endOf(node: Node): number {
  return node.offset + node.length;
}

function afterBlanks(text: string, offset: number): number {
  let at = offset;
  while (/\s/.test(text[at] ?? "")) at++;
  return at;
}

function beforeBlanks(text: string, offset: number): number {
  let at = offset;
  while (/\s/.test(text[at - 1] ?? "")) at--;
  return at;
}

/** Where the next token begins: behind blanks and comments. */
function afterTrivia(text: string, offset: number): number {
  let at = afterBlanks(text, offset);
  while (text.startsWith("//", at) || text.startsWith("/*", at)) {
    const close = text.startsWith("//", at) ? text.indexOf("\n", at) : text.indexOf("*/", at) + 2;
    at = afterBlanks(text, close < at ? text.length : close);
  }
  return at;
}

/** Behind the comments that stand in the rest of this line; this place if there are none. */
function afterLineComments(text: string, offset: number): number {
  const rest = /^(?:[ \t]*\/\*(?:(?!\*\/)[^\n])*\*\/)*(?:[ \t]*\/\/[^\r\n]*)?/.exec(
    text.slice(offset),
  );
  return offset + (rest?.[0].length ?? 0);
}

/** An only member, with the blanks around it unless a comment shares the place. */
function blanksAround(text: string, parent: Node, from: number, to: number): Splice {
  const open = parent.offset + 1;
  const close = endOf(parent) - 1;
  const alone = text.slice(open, from).trim() === "" && text.slice(to, close).trim() === "";
  return alone
    ? { from: open, to: close, text: "" }
    : { from: beforeBlanks(text, from), to, text: "" };
}

function splice(text: string, splices: readonly Splice[]): string {
  return [...splices]
    .reverse() // of two at one place the first stays first
    .sort((one, other) => other.from - one.from)
    .reduce((now, { from, to, text: piece }) => now.slice(0, from) + piece + now.slice(to), text);
}
