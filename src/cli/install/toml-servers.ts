/**
 * Our table in Codex's config.toml: `[mcp_servers.memspool]`.
 *
 * Only lines of our own table are touched, as text, because no TOML writer keeps what people wrote
 * around it. A parser then proves the result: of everything else it must say what it said before.
 */
import { isDeepStrictEqual } from "node:util";
import { parse, stringify, TomlError } from "smol-toml";
import type { Edit, EditRequest, EntryState } from "./client.ts";
import { foreignEntry, invalidConfig } from "./config-errors.ts";
import { serverWords, startsMemspool } from "./our-command.ts";

type Table = Record<string, unknown>;

const SERVERS = "mcp_servers";

export const tomlServers: Edit = {
  look: (text, request) => stateOf(tableIn(text, request), request),
  install: (text, request) => {
    const document = documentOf(text, request);
    const entry = tableIn(text, request);
    const state = stateOf(entry, request);
    const { name } = request.launch;
    if (state === "current") return text;
    if (state === "foreign" && !request.force) throw foreignEntry(request.path, name);
    const kept = state === "outdated" ? (entry as Table) : {};
    const [command, ...args] = serverWords(request.launch, wordsOfEntry(kept));
    const wanted: Table = { ...kept, command, args };
    const expected = { ...document, [SERVERS]: { ...serversOf(document), [name]: wanted } };
    const written =
      state === "outdated"
        ? withValues(text, request, { command, args })
        : appended(state === "foreign" ? without(text, request) : text, name, { command, args });
    return proved(written, expected, request);
  },
  uninstall: (text, request) => {
    const document = documentOf(text, request);
    const state = stateOf(tableIn(text, request), request);
    if (state === "absent" || state === "foreign") return text;
    const { [request.launch.name]: _ours, ...others } = serversOf(document);
    const { [SERVERS]: _servers, ...rest } = document;
    const left = Object.keys(others).length > 0 ? { ...rest, [SERVERS]: others } : rest;
    return proved(without(text, request), left, request);
  },
};

function documentOf(text: string, { path }: EditRequest): Table {
  try {
    const document = parse(text);
    const servers = document[SERVERS];
    if (servers !== undefined && !isTable(servers)) {
      throw invalidConfig(path, `"${SERVERS}" is not a table`);
    }
    return document;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ""] = error.message.split("\n");
    const problem = first.replace(/^Invalid TOML document: /, "");
    throw invalidConfig(path, `it is not valid TOML (${problem})`, error);
  }
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function serversOf(document: Table): Table {
  return (document[SERVERS] as Table | undefined) ?? {};
}

function tableIn(text: string, request: EditRequest): unknown {
  return serversOf(documentOf(text, request))[request.launch.name];
}

function stateOf(entry: unknown, { launch }: EditRequest): EntryState {
  if (entry === undefined) return "absent";
  const words = wordsOfEntry(entry);
  if (!startsMemspool(words, ["serve"])) return "foreign";
  return isDeepStrictEqual(words, serverWords(launch, words)) ? "current" : "outdated";
}

function wordsOfEntry(entry: unknown): string[] {
  if (!isTable(entry)) return [];
  const words = [entry.command, ...(Array.isArray(entry.args) ? entry.args : [])];
  return words.every((word) => typeof word === "string") ? words : [];
}

/** Lines with their ends, so that joining them gives the text again. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Our table's header, or a header of a table in it. */
function isOurHeader(line: string, name: string): boolean {
  const key = `(?:${escaped(name)}|"${escaped(name)}"|'${escaped(name)}')`;
  const servers = `(?:${SERVERS}|"${SERVERS}"|'${SERVERS}')`;
  return new RegExp(`^\\s*\\[\\s*${servers}\\s*\\.\\s*${key}\\s*[.\\]]`).test(line);
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/**
 * Line numbers of our tables, each with the line after its last key: comments and blank lines in
 * front of the next table belong to that one.
 */
function ourSections(lines: readonly string[], name: string): { from: number; to: number }[] {
  const sections: { from: number; to: number }[] = [];
  const inString = linesInStrings(lines);
  for (let at = 0; at < lines.length; at++) {
    if (inString[at] || !isOurHeader(lines[at] as string, name)) continue;
    let next = at + 1;
    while (next < lines.length && (inString[next] || !/^\s*\[/.test(lines[next] as string))) next++;
    let to = next;
    while (to > at + 1 && /^\s*(?:#|$)/.test(lines[to - 1] as string)) to--;
    sections.push({ from: at, to });
  }
  return sections;
}

/** Which lines begin inside a string of several lines, where a header is none. */
function linesInStrings(lines: readonly string[]): boolean[] {
  let open: string | undefined;
  return lines.map((line) => {
    const began = open !== undefined;
    for (let rest = line; rest !== ""; ) {
      if (open !== undefined) {
        const close = open === '"""' ? /^(?:[^"\\]|\\[\s\S]|"(?!""))*"""/ : /^(?:[^']|'(?!''))*'''/;
        const found = close.exec(rest);
        if (found === null) break;
        rest = rest.slice(found[0].length);
        open = undefined;
        continue;
      }
      const opened = /^(?:"""|''')/.exec(rest)?.[0];
      if (opened !== undefined) open = opened;
      const piece = opened ?? /^(?:#[\s\S]*|"(?:[^"\\]|\\.)*"|'[^']*'|[\s\S])/.exec(rest)?.[0];
      rest = rest.slice(piece?.length ?? 1);
    }
    return began;
  });
}

function without(text: string, { launch }: EditRequest): string {
  const lines = linesOf(text);
  for (const { from, to } of ourSections(lines, launch.name).reverse()) {
    // The blank line that separated it goes with it, unless it now separates two others.
    const blankBefore = /^\s*$/.test(lines[from - 1] ?? "x");
    const blankAfter = to >= lines.length || /^\s*$/.test(lines[to] as string);
    const start = blankBefore && blankAfter ? from - 1 : from;
    lines.splice(start, to - start);
  }
  return lines.join("");
}

function appended(text: string, name: string, values: Table): string {
  const eol = /\r?\n/.exec(text)?.[0] ?? "\n";
  const ended = text === "" || text.endsWith("\n") ? text : `${text}${eol}`;
  const gap = ended === "" || /(?:^|\n)[ \t]*\r?\n$/.test(ended) ? "" : eol;
  const table = [`[${SERVERS}.${keyOf(name)}]`, ...Object.entries(values).map(keyLine)];
  return `${ended}${gap}${table.join(eol)}${eol}`;
}

/** Puts new values behind keys of our table that are there, and adds those that are not. */
function withValues(text: string, { launch }: EditRequest, values: Table): string {
  const lines = linesOf(text);
  const [section] = ourSections(lines, launch.name);
  if (section === undefined) return text;
  const eol = /\r?\n/.exec(text)?.[0] ?? "\n";
  for (const entry of Object.entries(values).reverse()) {
    const [key] = entry;
    const at = lines.findIndex(
      (line, n) => n > section.from && n < section.to && keyPattern(key).test(line),
    );
    if (at < 0) lines.splice(section.from + 1, 0, `${keyLine(entry)}${eol}`);
    else {
      const indent = /^\s*/.exec(lines[at] as string)?.[0] ?? "";
      const count = linesOfValue(lines.slice(at, section.to));
      const end = /\r?\n$/.exec(lines[at + count - 1] as string)?.[0] ?? "";
      const comment = count === 1 ? commentOf(lines[at] as string) : "";
      lines.splice(at, count, `${indent}${keyLine(entry)}${comment}${end}`);
    }
  }
  return lines.join("");
}

function keyPattern(key: string): RegExp {
  return new RegExp(`^\\s*(?:${key}|"${key}"|'${key}')\\s*=`);
}

/** How many lines a key's value takes: as many as it needs to be whole. */
function linesOfValue(lines: readonly string[]): number {
  for (let count = 1; count <= lines.length; count++) {
    try {
      parse(lines.slice(0, count).join(""));
      return count;
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
    }
  }
  return 1;
}

/** A comment behind a value, found by the value being whole without it. */
function commentOf(line: string): string {
  for (let at = line.indexOf("#"); at >= 0; at = line.indexOf("#", at + 1)) {
    try {
      parse(line.slice(0, at));
      const value = line.slice(0, at).trimEnd();
      return line.slice(value.length).trimEnd();
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
    }
  }
  return "";
}

/** `key = value` on one line. */
function keyLine([key, value]: [string, unknown]): string {
  return stringify({ [key]: value }).trimEnd();
}

function keyOf(name: string): string {
  return /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
}

function proved(text: string, expected: Table, request: EditRequest): string {
  let problem: unknown;
  try {
    // The parser's tables have no prototype.
    const plain = (table: unknown) => JSON.parse(JSON.stringify(table, exactly));
    if (isDeepStrictEqual(plain(documentOf(text, request)), plain(expected))) return text;
  } catch (error) {
    problem = error;
  }
  throw invalidConfig(
    request.path,
    `its table of ${SERVERS} is written in a way that does not let our part be changed alone; ` +
      `write it as [${SERVERS}.${keyOf(request.launch.name)}]`,
    problem instanceof TomlError ? problem : undefined,
  );
}

/** Numbers and dates that JSON would not tell apart. */
function exactly(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
