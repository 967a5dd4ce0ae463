/**
 * Speaker: whom the question is about. A name that is the record's source, or a hint at a role
 * ("what did you recommend", "I told you"), favours what that one said.
 */
import { foldWord, normaliseText } from "../../text/fold.ts";
import type { Asked, AskedWord, Candidate, Scored } from "./scored.ts";

const NAMED_GAIN = 0.35;
const ROLE_GAIN = 0.15;
const UNSPACED_NAME =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]{2,}$/u;
const NAME_PART = /\p{L}[\p{L}\p{M}\p{N}]*/gu;

/** What was said to the one who asks: by the assistant. */
const SAID_BY_ASSISTANT =
  /\b(?:did|had|have|would) you (?:\w+ )?(?:say|said|suggest|recommend|tell|told|advise|propose|give|gave|list|mention|explain|write|create)/i;
/** What the one who asks said or is: by the user. */
const SAID_BY_USER = /\b(?:i|my|me|mine|i'm|i've)\b/i;

/** Whose words the question asks for; undefined for anybody's. */
export function roleAskedFor(query: string): "assistant" | "user" | undefined {
  if (SAID_BY_ASSISTANT.test(query)) return "assistant";
  return SAID_BY_USER.test(query) ? "user" : undefined;
}

export function speakerFactor(asked: Asked, hit: Scored): number {
  const { source, role } = hit.candidate.record;
  const named = source !== undefined && isNamed(asked, source);
  const byRole = asked.role !== undefined && role === asked.role;
  return (named ? 1 + NAMED_GAIN : 1) * (byRole ? 1 + ROLE_GAIN : 1);
}

/** Whether the word is a name of the record's source. */
export function isSpeaker({ record }: Candidate, { word }: AskedWord): boolean {
  const { source } = record;
  return source !== undefined && partsOf(source).has(word);
}

function isNamed({ words, query }: Asked, source: string): boolean {
  const parts = partsOf(source);
  if (words.some(({ word, isStop }) => !isStop && parts.has(word))) return true;
  // Names of languages without spaces stand inside a run.
  return UNSPACED_NAME.test(source) && query.includes(source);
}

/** The same few sources come again and again. */
const REMEMBERED_COUNT_MAX = 1_024;
const remembered = new Map<string, ReadonlySet<string>>();

function partsOf(source: string): ReadonlySet<string> {
  let parts = remembered.get(source);
  if (parts === undefined) {
    const words = normaliseText(source).match(NAME_PART) ?? [];
    parts = new Set(words.map((word) => foldWord(word)));
    if (remembered.size >= REMEMBERED_COUNT_MAX) remembered.clear();
    remembered.set(source, parts);
  }
  return parts;
}
