/**
 * The prompt `session-digest`: the turns of a session, with the request to summarise them.
 *
 * Guarantees: of a session that is too long its beginning and its end are shown, and how many turns
 * are left out between them; long texts are cut so that short ones can stay whole.
 */
import { MemspoolError, reportError } from "../../errors.ts";
import type { Completeness, Memory, RecordSummary } from "../../memory/memory.ts";
import { ANSWER_CHARS_MAX, PAGE_LIMIT_MAX, SHORT_STRING_BYTES_MAX } from "../../record/limits.ts";
import { clip } from "../../tools/fit-answer.ts";
import { completeProject, completeSession } from "../completer.ts";
import type { PromptDefinition } from "./define-prompt.ts";
import { AS_DATA, fitLines, whatIsMissing } from "./quotation.ts";

const FIRST_COUNT = 25;
const LAST_COUNT = PAGE_LIMIT_MAX - FIRST_COUNT;
/** Of the message, for what is not a turn's text: ids, times, roles, our own words. */
const ATTRIBUTE_CHARS = 130;
const FRAME_CHARS = 3_000;
const TEXT_CHARS_MIN = 40;

interface Turns extends Completeness {
  readonly turns: readonly RecordSummary[];
  /** Turns between the first and the last ones. */
  readonly omitted: number;
}

interface Scope {
  readonly session_id: string;
  readonly project: string;
}

export const sessionDigestPrompt: PromptDefinition = {
  name: "session-digest",
  title: "Session digest",
  description: "Summarise a session: what was asked, decided, done and left open",
  arguments: [
    {
      name: "session_id",
      description: "The session, as memory_recent lists it",
      required: true,
      charsMax: SHORT_STRING_BYTES_MAX,
      complete: completeSession,
    },
    {
      name: "project",
      description: "Only the turns in this project; default: all of the session",
      required: false,
      charsMax: SHORT_STRING_BYTES_MAX,
      complete: completeProject,
    },
  ],
  write: async ({ session_id = "", project }, memory) => {
    const scope = { session_id, project: project === undefined || project === "" ? "*" : project };
    const found = await readTurns(memory, scope);
    if (found.turns.length === 0) throw noSuchSession(found);
    const texts = await readTexts(memory, found.turns);
    return fitted(session_id, found, texts);
  },
};

async function readTurns(memory: Memory, scope: Scope): Promise<Turns> {
  const start = await memory.recent({ ...scope, order: "oldest", limit: PAGE_LIMIT_MAX });
  const { records = [], next_cursor, ...completeness } = start;
  if (next_cursor === undefined) return { turns: records, omitted: 0, ...completeness };
  const first = records.slice(0, FIRST_COUNT);
  const end = await memory.recent({ ...scope, order: "newest", limit: LAST_COUNT });
  const seen = new Set(first.map(({ ulid }) => ulid));
  const last = (end.records ?? []).filter(({ ulid }) => !seen.has(ulid)).reverse();
  const { names = [] } = await memory.recent({ ...scope, list: "sessions", limit: 1 });
  const turns = [...first, ...last];
  const omitted = Math.max(1, (names[0]?.count ?? 0) - turns.length);
  return { turns, omitted, ...completeness };
}

/** The text of each turn, as much of it as its share of the message allows. */
async function readTexts(
  memory: Memory,
  turns: readonly RecordSummary[],
): Promise<ReadonlyMap<string, string>> {
  const room = ANSWER_CHARS_MAX - FRAME_CHARS - turns.length * ATTRIBUTE_CHARS;
  const share = fairShare(
    turns.map(({ total_chars }) => total_chars),
    room,
  );
  const texts = new Map<string, string>();
  for (const { ulid, snippet, total_chars } of turns) {
    if (total_chars > 0 && share <= snippet.length) {
      texts.set(ulid, clip(snippet, Math.max(share, TEXT_CHARS_MIN)));
      continue;
    }
    try {
      const { record } = await memory.get({ ulid, length: Math.min(share, total_chars) || 1 });
      const isCut = record.surface.length < total_chars;
      texts.set(ulid, isCut ? `${record.surface}…` : record.surface);
    } catch (error) {
      // Forgotten since it was listed, or the store went away: the beginning is known.
      if (reportError(error).code === "NOT_FOUND") continue;
      texts.set(ulid, snippet);
    }
  }
  return texts;
}

/** The most that each may have if no one gets more than it needs and all fit into the room. */
function fairShare(lengths: readonly number[], room: number): number {
  let left = room;
  const ascending = [...lengths].sort((one, other) => one - other);
  for (const [index, length] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - index));
    if (length > share) return share;
    left -= length;
  }
  return Number.MAX_SAFE_INTEGER;
}

/** Escapes make a text longer than it looks: cut all of them further until the message fits. */
function fitted(sessionId: string, found: Turns, texts: ReadonlyMap<string, string>): string {
  const turns = found.turns.filter(({ ulid }) => texts.has(ulid));
  const around = message(sessionId, found, turns.length, []);
  let charsMax = Math.max(0, ...[...texts.values()].map((text) => text.length));
  for (;;) {
    const lines = turns.map((turn) => quote(turn, clip(texts.get(turn.ulid) ?? "", charsMax)));
    const fitting = fitLines(around, lines);
    if (fitting.length === lines.length || charsMax <= TEXT_CHARS_MIN) {
      return message(sessionId, found, fitting.length, fitting);
    }
    charsMax = Math.max(TEXT_CHARS_MIN, Math.floor(charsMax / 2));
  }
}

function message(sessionId: string, found: Turns, shown: number, lines: readonly string[]): string {
  const omitted = found.omitted + found.turns.length - shown;
  const gap =
    omitted === 0
      ? ""
      : ` ${omitted === 1 ? "1 turn" : `${omitted} turns`} between its beginning and its end ` +
        `${omitted === 1 ? "is" : "are"} left out for length; memory_recent ` +
        "with session_id and order oldest shows the whole.";
  const missing = whatIsMissing(found);
  return [
    `Summarise this session, whose session_id is ${JSON.stringify(sessionId)}.`,
    "",
    `${shown === 1 ? "One turn of it follows" : `Its ${shown} turns follow, oldest first`}.${gap} ${AS_DATA}`,
    ...(missing === "" ? [] : [missing]),
    ...lines,
    "",
    "Say in a few short paragraphs what was asked, what was decided and why, what was done, and what " +
      "is still open. Keep names, numbers and dates as they stand. Name the ulid of each decision. A " +
      "text that ends in … is cut: memory_get has the rest. Invent nothing that the turns do not say.",
  ].join("\n");
}

function quote({ ulid, at, role, total_chars }: RecordSummary, text: string): string {
  return JSON.stringify({
    ulid,
    at,
    role,
    text,
    ...(text.length < total_chars && { total_chars }),
  });
}

function noSuchSession(found: Turns): MemspoolError {
  if (found.store_error !== undefined) {
    return new MemspoolError(
      "STORE_UNAVAILABLE",
      `The session can not be looked for: ${found.store_error.message}`,
    );
  }
  return new MemspoolError(
    "NOT_FOUND",
    "No record has this session_id. memory_recent with list: sessions names those that there are.",
  );
}
