/**
 * A text's normal form together with the way back: which part of the text each unit came from.
 *
 * Guarantees: offsets that come back lie in the text and never inside a base character and its
 * marks. Normalising character by character equals normalising the whole but for rare sequences
 * (Hangul in parts, half-width voicing marks); there a match may go unmarked, nothing worse.
 */
import { normaliseText } from "./fold.ts";

export interface AlignedText {
  readonly normal: string;
  /** Where in the text the unit at `at` of the normal form begins. */
  sourceStart(at: number): number;
  /** Where in the text what lies before `end` of the normal form ends. */
  sourceEnd(end: number): number;
}

// ASCII that no mark follows is the same in every form and taken in long runs.
const PIECE = /[\0-\x7f]+(?!\p{M})|[^\p{M}]?\p{M}*/gsu;

export function alignedText(text: string): AlignedText {
  const whole = normaliseText(text);
  if (whole === text) return { normal: text, sourceStart: (at) => at, sourceEnd: (end) => end };
  const starts: number[] = [];
  const ends: number[] = [];
  let normal = "";
  for (const { 0: piece, index } of text.matchAll(PIECE)) {
    const isPlain = piece.charCodeAt(0) < 128 && piece.charCodeAt(piece.length - 1) < 128;
    const form = isPlain ? piece : normaliseText(piece);
    for (let unit = 0; unit < form.length; unit++) {
      starts.push(isPlain ? index + unit : index);
      ends.push(isPlain ? index + unit + 1 : index + piece.length);
    }
    normal += form;
  }
  return {
    normal,
    sourceStart: (at) => starts[at] ?? text.length,
    sourceEnd: (end) => ends[end - 1] ?? 0,
  };
}
