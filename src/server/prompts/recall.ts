/** The prompt `recall`: what memory holds on a topic, quoted, with the request to answer from it. */
import type { SearchHit } from "../../memory/memory.ts";
import { SHORT_STRING_BYTES_MAX } from "../../record/limits.ts";
import { completeProject } from "../completer.ts";
import type { PromptDefinition } from "./define-prompt.ts";
import { AS_DATA, fitLines, whatIsMissing } from "./quotation.ts";

const HIT_COUNT_MAX = 20;
/** Leaves most of the message to the records, even if every character is escaped. */
const TOPIC_CHARS_MAX = 2_000;

export const recallPrompt: PromptDefinition = {
  name: "recall",
  title: "Recall",
  description: "Answer from memory: what was said before about a topic",
  arguments: [
    {
      name: "topic",
      description: "What to recall, in the words that the records would contain",
      required: true,
      charsMax: TOPIC_CHARS_MAX,
    },
    {
      name: "project",
      description: 'Default: the current project and records without one. "*": all projects',
      required: false,
      charsMax: SHORT_STRING_BYTES_MAX,
      complete: completeProject,
    },
  ],
  write: async ({ topic = "", project }, memory) => {
    const found = await memory.search({
      query: topic,
      limit: HIT_COUNT_MAX,
      ...(project === undefined || project === "" ? {} : { project }),
    });
    const missing = whatIsMissing(found);
    if (found.results.length === 0) {
      return message(topic, ["Memory holds nothing that matches these words.", missing], NOTHING);
    }
    const lines = found.results.map(quote);
    const shown = fitLines(
      message(topic, [intro(lines.length, lines.length), missing], ANSWER),
      lines,
    );
    return message(topic, [intro(shown.length, lines.length), missing, ...shown], ANSWER);
  },
};

const ANSWER =
  "Answer from these records alone. Name the time and the ulid of what you rely on. A snippet is " +
  "only a part: read the whole with memory_get before you quote it. If records contradict each " +
  "other, the newer one holds, or the one named in superseded_by; say that they differ. If they do " +
  "not answer it, say so, or look with memory_search for other words.";
const NOTHING =
  "Try memory_search with other words, then say what was found. If nothing is, say that memory holds " +
  "nothing about it instead of guessing.";

function intro(shown: number, found: number): string {
  const rest = shown < found ? `, ${found - shown} more are left out for length` : "";
  const records =
    shown === 1 ? "This record matches best" : `These ${shown} records match best, the best first`;
  return `${records}${rest}. ${AS_DATA}`;
}

function message(topic: string, parts: readonly string[], request: string): string {
  const body = parts.filter((part) => part !== "").join("\n");
  return `What does memory hold about this?\n\n${topic}\n\n${body}\n\n${request}`;
}

function quote(hit: SearchHit): string {
  const { ulid, at, role, project, session_id, source, snippet, total_chars, superseded_by } = hit;
  return JSON.stringify({
    ulid,
    at,
    role,
    project,
    session_id,
    source,
    snippet,
    total_chars,
    superseded_by,
  });
}
