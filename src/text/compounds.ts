/**
 * The parts of a compound: `src/store/MemoryStore.ts` is found as itself, as `MemoryStore.ts`, and
 * by each of its words, those of a camelCase name included.
 *
 * Guarantees: the whole comes first, each part once for each place it stands in, time linear in the
 * length. A leading "v" before a version number is optional.
 */
import { classAt, DIGIT, JOINER, LOWER, STRONG_JOINERS, UPPER } from "./character-classes.ts";
import type { ScanSink } from "./term-sink.ts";

const isStrong = new Uint8Array(128);
for (const joiner of STRONG_JOINERS) isStrong[joiner.charCodeAt(0)] = 1;

/** Pushes the terms of the compound in [start, end), which begins with a letter or digit. */
export function pushCompound(sink: ScanSink, start: number, end: number): void {
  // Whoever asks for "getUserName" without its capitals asks for a plain word.
  if (hasJoiner(sink.text, start, end)) sink.push(start, end);
  else sink.pushWord(start, end);
  pushVersion(sink, start, end);
  const { text } = sink;
  let from = start;
  for (let at = start; at <= end; at++) {
    if (at < end && !isStrong[text.charCodeAt(at)]) continue;
    pushSegment(sink, from, at, start, end);
    from = at + 1;
  }
}

/** Between two strong joiners: a term by itself if it still holds several words. */
function pushSegment(sink: ScanSink, from: number, to: number, start: number, end: number): void {
  const { text } = sink;
  let first = from;
  let last = to;
  while (first < last && classAt(text, first) === JOINER) first++;
  while (last > first && classAt(text, last - 1) === JOINER) last--;
  if (first === last) return;
  const whole = first === start && last === end;
  let word = first;
  let parted = whole;
  for (let at = first; at < last; at++) {
    if (classAt(text, at) !== JOINER) continue;
    if (!parted) {
      parted = true;
      sink.push(first, last);
      pushVersion(sink, first, last);
    }
    if (at > word) pushWord(sink, word, at, false);
    word = at + 1;
  }
  if (word < last) pushWord(sink, word, last, whole && word === first);
}

function hasJoiner(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (classAt(text, at) === JOINER) return true;
  return false;
}

/** A word between joiners, then the words that capitals part it into. */
function pushWord(sink: ScanSink, from: number, to: number, pushed: boolean): void {
  const { text } = sink;
  if (!pushed) sink.pushWord(from, to);
  let start = from;
  for (let at = from + 1; at < to; at++) {
    if (!isSeam(text, at, to)) continue;
    sink.pushWord(start, at);
    start = at;
  }
  if (start > from) sink.pushWord(start, to);
}

/** Before a capital that follows a small letter, or that opens a word of three letters or more. */
function isSeam(text: string, at: number, to: number): boolean {
  if (classAt(text, at) !== UPPER) return false;
  const before = classAt(text, at - 1);
  if (before === LOWER || before === DIGIT) return true;
  // "IDs" and "APIs" are plurals; "HTTPServer" is two words.
  return at + 2 < to && classAt(text, at + 1) === LOWER && classAt(text, at + 2) === LOWER;
}

function pushVersion(sink: ScanSink, start: number, end: number): void {
  const { text } = sink;
  const unit = text.charCodeAt(start) | 0x20;
  if (unit === 0x76 && start + 1 < end && classAt(text, start + 1) === DIGIT) {
    sink.push(start + 1, end);
  }
}
