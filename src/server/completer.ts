/**
 * Proposes values for an argument that somebody is typing: a prompt's, or the variable of a
 * resource's address.
 *
 * Guarantees: at most VALUE_COUNT_MAX values, newest first, all of which begin with what was typed
 * (upper and lower case alike), read in at most PAGE_COUNT_MAX pages. What lies beyond is told as
 * `hasMore`, never guessed.
 */
import type { Memory, RecentInput, RecentResult } from "../memory/memory.ts";
import { ANSWER_CHARS_MAX, PAGE_LIMIT_MAX, SHORT_STRING_BYTES_MAX } from "../record/limits.ts";

/** The protocol's own bound: https://modelcontextprotocol.io/specification/2025-11-25/server/utilities/completion */
const VALUE_COUNT_MAX = 100;
const PAGE_COUNT_MAX = 10;
/** Room for the rest of the answer. */
const VALUES_CHARS_MAX = ANSWER_CHARS_MAX - 1_000;

export interface Proposals {
  readonly values: readonly string[];
  readonly hasMore: boolean;
}

/**
 * @param typed so far
 * @param chosen values of the other arguments, as far as they are known
 */
export type Completer = (
  memory: Memory,
  typed: string,
  chosen: Readonly<Record<string, string>>,
) => Promise<Proposals>;

export const completeProject: Completer = (memory, typed) =>
  propose(memory, { list: "projects", project: "*" }, typed, namesOf);

/** Of the chosen project, or of all. */
export const completeSession: Completer = (memory, typed, { project = "*" }) =>
  propose(memory, { list: "sessions", project: project === "" ? "*" : project }, typed, namesOf);

export const completeUlid: Completer = (memory, typed) =>
  propose(memory, { project: "*" }, typed, ({ records = [] }) => records.map(({ ulid }) => ulid));

function namesOf({ names = [] }: RecentResult): string[] {
  return names.map(({ name }) => name);
}

async function propose(
  memory: Memory,
  question: RecentInput,
  typed: string,
  valuesOf: (page: RecentResult) => readonly string[],
): Promise<Proposals> {
  const values: string[] = [];
  if (typed.length > SHORT_STRING_BYTES_MAX) return { values, hasMore: false };
  const prefix = typed.toLowerCase();
  let chars = 0;
  let cursor: string | undefined;
  for (let page = 0; page < PAGE_COUNT_MAX; page++) {
    const answer = await memory.recent({ ...question, limit: PAGE_LIMIT_MAX, cursor });
    for (const value of valuesOf(answer)) {
      if (value === "" || !value.toLowerCase().startsWith(prefix)) continue;
      chars += JSON.stringify(value).length + 1;
      if (values.length === VALUE_COUNT_MAX || chars > VALUES_CHARS_MAX) {
        return { values, hasMore: true };
      }
      values.push(value);
    }
    cursor = answer.next_cursor;
    if (cursor === undefined) return { values, hasMore: false };
  }
  return { values, hasMore: true };
}
