// Reads a data set of recall: turns (JSONL, one turn a line) and questions (JSONL, one a line).
// Guarantees: whatever is returned fits together: every turn once, every question with evidence that
// exists. What does not fit is refused with the file's name and line.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export const HALVES = ["dev", "held-out"];
export const KINDS = [
  "single-fact",
  "two-facts",
  "when",
  "who",
  "paraphrase",
  "wrong-spelling",
  "cjk",
  "code",
  "answered-in-next-turn",
  "change",
];

/** One name for a turn, in whichever list it appears. */
export function turnKey({ session, turn }) {
  return `${session}#${turn}`;
}

/**
 * @param path a JSONL file, or a directory whose *.jsonl files are read in the order of their names
 * @returns {{session: string, turn: number, speaker?: string, role?: string, at?: string, text: string}[]}
 */
export function readTurns(path) {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith(".jsonl"))
        .sort()
        .map((name) => join(path, name))
    : [path];
  const seen = new Set();
  return files.flatMap((file) =>
    readLines(file, (turn) => {
      if (typeof turn.session !== "string" || !Number.isSafeInteger(turn.turn)) {
        return "needs a session (string) and a turn (whole number)";
      }
      if (typeof turn.text !== "string") return "needs a text";
      if (seen.has(turnKey(turn))) return `repeats ${turnKey(turn)}`;
      seen.add(turnKey(turn));
      return undefined;
    }),
  );
}

/**
 * @param turns where the evidence must be
 * @returns {{id: string, kind: string, lang?: string, question: string, evidence: {session: string, turn: number}[]}[]}
 */
export function readQuestions(file, turns) {
  const known = new Set(turns.map(turnKey));
  const ids = new Set();
  return readLines(file, ({ id, kind, question, evidence }) => {
    if (typeof id !== "string" || ids.has(id)) return "needs an id of its own";
    ids.add(id);
    if (typeof kind !== "string" || typeof question !== "string") {
      return "needs a kind and a question";
    }
    if (!Array.isArray(evidence) || evidence.length === 0) return "needs evidence";
    const missing = evidence.find((each) => !known.has(turnKey(each)));
    return missing && `names ${turnKey(missing)} as evidence, which is no turn of the data`;
  });
}

function readLines(file, fault) {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, index) => {
      if (line.trim() === "") return [];
      const at = `${file}:${index + 1}`;
      let value;
      try {
        value = JSON.parse(line);
      } catch {
        throw new Error(`${at} is not JSON`);
      }
      const what = fault(value);
      if (what !== undefined) throw new Error(`${at} ${what}`);
      return [value];
    });
}
