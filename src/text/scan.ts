/**
 * The term scanner: one pass over a text, from left to right.
 *
 * - A run of letters and digits is a word. Words joined by punctuation without a space (a path, a
 *   version, an address, an identifier) are one compound: it is a term as a whole, and so are its
 *   parts (compounds.ts).
 * - Chinese, Japanese and Korean characters are terms one by one and in overlapping pairs, so that a
 *   word of two characters is found inside a run. A question asks for the pairs, and for the single
 *   Han characters of a longer run as a hint: kana and Hangul alone say nothing.
 * - An emoji is a term; two regional indicators are one flag.
 *
 * Guarantees: terms hold no white space and no ASCII besides a–z, 0–9 and TERM_PUNCTUATION; time
 * is linear in the length of the text; no string makes it throw. Languages that are written without
 * spaces and are not CJK (Thai, Khmer) are not split into words.
 */
import {
  ASCII_CLASS,
  CJK,
  classAt,
  DIGIT,
  EMOJI,
  FLAG_HALF,
  JOINER,
  LOWER,
  SEPARATOR,
  UPPER,
} from "./character-classes.ts";
import { pushCompound } from "./compounds.ts";
import { isAscii, normaliseText } from "./fold.ts";
import { guessLanguage } from "./languages.ts";
import { type ScanSink, TermSink } from "./term-sink.ts";

const PLUS = "+".charCodeAt(0);
const HASH = "#".charCodeAt(0);
/** Doubled, these are prose or a rule, not an identifier. */
const NEVER_DOUBLED = new Set([..."-.=~#+?%&"].map((joiner) => joiner.charCodeAt(0)));

/** Which terms of a CJK run are wanted. */
export type ScanMode = "index" | "query";

/** All terms of a text in the order in which they begin, repeats kept. */
export function scanText(text: string, also: "words" | "nothing"): TermSink {
  const ascii = isAscii(text);
  const normal = ascii ? text : normaliseText(text);
  const sink = new TermSink(normal, guessLanguage(normal, ascii).language, also);
  scan(sink, "index");
  return sink;
}

/** As {@link scanText}, over a text that is already normalised, with the places of the terms. */
export function scanNormalised(text: string): { terms: string[]; spans: number[] } {
  const sink = new TermSink(text, guessLanguage(text, isAscii(text)).language, "spans");
  scan(sink, "index");
  return { terms: sink.terms, spans: sink.spans ?? [] };
}

/** Hands everything that is a term of the sink's text to the sink. */
export function scan(sink: ScanSink, mode: ScanMode): void {
  const { text } = sink;
  let at = 0;
  while (at < text.length) {
    const kind = classAt(text, at);
    if (kind === SEPARATOR || kind === JOINER) at++;
    else if (kind === CJK) at = scanCjk(sink, at, mode);
    else if (kind === EMOJI || kind === FLAG_HALF) at = scanEmoji(sink, at, kind);
    else at = scanWord(sink, at, kind);
  }
}

/** Reads the word or compound that begins at `start`; returns where to go on. */
function scanWord(sink: ScanSink, start: number, kind: number): number {
  const { text } = sink;
  const length = text.length;
  let compound = false;
  let camel = false;
  let previous = kind;
  let at = start + 1;
  let end = length;
  let next = length;
  while (at < length) {
    const unit = text.charCodeAt(at);
    const here = unit < 128 ? (ASCII_CLASS[unit] as number) : classAt(text, at);
    if (here === LOWER) {
      // "HTTPServer" has a seam before the last capital; a plain capital word has none.
      if (previous === UPPER && at - start > 1) camel = true;
    } else if (here === UPPER) {
      if (previous === LOWER || previous === DIGIT) camel = true;
    } else if (here === JOINER) {
      const behind = joinersEnd(text, at);
      const joins =
        behind < length && isWordClass(classAt(text, behind)) && mayJoin(text, at, behind);
      if (!joins) {
        end = trailingEnd(text, at, behind);
        if (end > at) compound = true;
        next = behind;
        break;
      }
      compound = true;
      at = behind;
      previous = classAt(text, behind);
      at++;
      continue;
    } else if (here !== DIGIT) {
      end = at;
      next = at;
      break;
    }
    previous = here;
    at++;
  }
  if (compound || camel) pushCompound(sink, start, end);
  else sink.pushWord(start, end);
  return next;
}

function isWordClass(kind: number): boolean {
  return kind === LOWER || kind === UPPER || kind === DIGIT;
}

function joinersEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && classAt(text, at) === JOINER) at++;
  return at;
}

function mayJoin(text: string, start: number, end: number): boolean {
  if (end - start === 1) return true;
  const first = text.charCodeAt(start);
  return !(NEVER_DOUBLED.has(first) && text.charCodeAt(start + 1) === first);
}

/** "C#" and "C++" keep their ending; any other punctuation behind a word is dropped. */
function trailingEnd(text: string, start: number, end: number): number {
  const first = text.charCodeAt(start);
  if (first !== PLUS && first !== HASH) return start;
  return start + (end - start > 1 && text.charCodeAt(start + 1) === first ? 2 : 1);
}

function scanCjk(sink: ScanSink, start: number, mode: ScanMode): number {
  const { text } = sink;
  let first = start;
  let second = characterEnd(text, first);
  const alone = !(second < text.length && classAt(text, second) === CJK);
  for (;;) {
    if (mode === "index" || alone || isHan(text, first)) sink.pushAsIs(first, second);
    if (!(second < text.length && classAt(text, second) === CJK)) return second;
    const third = characterEnd(text, second);
    sink.pushAsIs(first, third);
    first = second;
    second = third;
  }
}

function isHan(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return (unit >= 0x3400 && unit <= 0x9fff) || (unit >= 0xd840 && unit <= 0xdbff);
}

function scanEmoji(sink: ScanSink, start: number, kind: number): number {
  const { text } = sink;
  let end = characterEnd(text, start);
  if (kind === FLAG_HALF && end < text.length && classAt(text, end) === FLAG_HALF) {
    end = characterEnd(text, end);
  }
  sink.pushAsIs(start, end);
  return end;
}

/** Behind the character at `at`; these classes are never lone surrogates. */
function characterEnd(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  return at + (unit >= 0xd800 && unit <= 0xdbff ? 2 : 1);
}
