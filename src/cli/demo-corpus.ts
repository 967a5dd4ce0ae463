/**
 * What the demo captures: this package's own documents, section by section, and a dialogue in the
 * public domain, turn by turn.
 *
 * Guarantees: the sections of a document, joined, are the document. Every record has an idempotency
 * key of its own, by which a repeated capture is recognised.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MemoryRecord } from "../record/memory-record.ts";

export interface DemoRecord {
  readonly key: string;
  readonly record: MemoryRecord;
}

export const DIALOGUE_SESSION = "a-mad-tea-party";
const DIALOGUE_FILE = "examples/a-mad-tea-party.jsonl";
const DOCUMENT_COUNT_MAX = 40;
const RECORD_COUNT_MAX = 600;

interface Turn {
  readonly speaker: string;
  readonly text: string;
}

/**
 * Dialogue and documents interleaved, so that both are on their way when a server dies.
 * @param root directory of the package
 */
export async function readCorpus(root: string): Promise<DemoRecord[]> {
  const turns = parseTurns(await readFile(join(root, DIALOGUE_FILE), "utf8")).map(turnRecord);
  const sections: DemoRecord[] = [];
  for (const path of await documentPaths(root)) {
    const text = await readFile(join(root, path), "utf8");
    sections.push(...splitSections(text).map((section, n) => sectionRecord(path, section, n)));
  }
  return interleave(turns, sections).slice(0, RECORD_COUNT_MAX);
}

/** Cuts before every heading outside of code; nothing is left out. */
export function splitSections(markdown: string): string[] {
  const sections: string[] = [];
  let current = "";
  let inCode = false;
  for (const line of markdown.split(/(?<=\n)/)) {
    if (line.startsWith("```")) inCode = !inCode;
    if (!inCode && /^#{1,6} /.test(line) && current !== "") {
      sections.push(current);
      current = "";
    }
    current += line;
  }
  if (current !== "") sections.push(current);
  return sections;
}

function parseTurns(jsonl: string): Turn[] {
  return jsonl
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Turn);
}

function turnRecord({ speaker, text }: Turn, n: number): DemoRecord {
  const key = `${DIALOGUE_SESSION}:${n + 1}`;
  return {
    key,
    record: {
      surface: text,
      cue: speaker,
      session_id: DIALOGUE_SESSION,
      source: DIALOGUE_FILE,
      tags: ["dialogue"],
      metadata: { speaker, turn: n + 1 },
      idempotency_key: key,
    },
  };
}

function sectionRecord(path: string, surface: string, n: number): DemoRecord {
  const key = `${path}:${n + 1}`;
  return {
    key,
    record: {
      surface,
      tier: "semantic",
      session_id: path,
      source: path,
      tags: ["documentation"],
      metadata: { section: n + 1 },
      idempotency_key: key,
    },
  };
}

async function documentPaths(root: string): Promise<string[]> {
  let docs: string[] = [];
  try {
    docs = await readdir(join(root, "docs"));
  } catch (error) {
    // ENOENT: the installed package ships its README alone.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const pages = docs.filter((name) => name.endsWith(".md")).sort();
  return ["README.md", ...pages.map((name) => join("docs", name))].slice(0, DOCUMENT_COUNT_MAX);
}

function interleave<T>(first: readonly T[], second: readonly T[]): T[] {
  const mixed: T[] = [];
  for (let at = 0; at < Math.max(first.length, second.length); at++) {
    mixed.push(...first.slice(at, at + 1), ...second.slice(at, at + 1));
  }
  return mixed;
}
