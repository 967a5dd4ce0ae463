/**
 * A question taken apart: its words, what each may be called in the index, and how much it says.
 *
 * Guarantees: any string is safe, for a question has no operators; at most QUESTION_WORD_COUNT_MAX
 * distinct words, in their order; a word that a text holds in the same form is always among what is
 * looked for, whatever language either is taken for. Pure.
 */
import { CJK, classAt } from "./character-classes.ts";
import { isAscii, normaliseText } from "./fold.ts";
import { guessLanguage, isStopWord, type Language, WIDESPREAD } from "./languages.ts";
import { scan } from "./scan.ts";
import { stemTerms } from "./stems.ts";
import { boundedSlice, foldedSlice, type ScanSink } from "./term-sink.ts";

export const QUESTION_WORD_COUNT_MAX = 64;
/** What stands behind is ignored. */
const SCAN_CHARS_MAX = 16_384;
/** Stop words that must speak for a language before its stems alone are looked for. */
const EVIDENCE_MIN = 1.5;
const PLAIN = /^\p{L}+$/u;

export interface QuestionWord {
  /** Folded, as it was asked. */
  readonly word: string;
  /** Index terms that all count as this word; the first is the likeliest. */
  readonly terms: readonly string[];
  /** A question or stop word, which says little of what is looked for. */
  readonly isStop: boolean;
  /** One Han character of a longer run: a hint, where the pairs that it belongs to find nothing. */
  readonly isHint: boolean;
  /** Written with letters alone, so that it may be misspelt. */
  readonly isPlain: boolean;
}

export interface Question {
  readonly words: readonly QuestionWord[];
  /** Languages that its words were taken for. */
  readonly languages: readonly Language[];
}

export function readQuestion(query: string): Question {
  const head = query.slice(0, SCAN_CHARS_MAX);
  const text = isAscii(head) ? head : normaliseText(head);
  const { language, evidence } = guessLanguage(text, isAscii(text));
  // English words stand in texts and questions of every language.
  const guessed: readonly Language[] = language === "en" ? ["en"] : [language, "en"];
  const languages = evidence < EVIDENCE_MIN ? WIDESPREAD : guessed;
  const sink = new QuestionSink(text, languages, language);
  scan(sink, "query");
  return { words: sink.words, languages };
}

/** The distinct index terms of all words, the likeliest of each first. */
export function termsOf(words: readonly QuestionWord[]): string[] {
  return [...new Set(words.flatMap(({ terms }) => terms))];
}

/** The words that say what is looked for; all of them if none does. */
export function tellingWords<W extends QuestionWord>(words: readonly W[]): readonly W[] {
  const telling = words.filter(({ isStop }) => !isStop);
  return telling.some(({ isHint }) => !isHint) ? telling : words;
}

const HAN = /^\p{Script=Han}$/u;
/** Particles, pronouns and question words of Chinese; pairs that hold one carry little. */
const CHINESE_STOP =
  /[的了吗呢吧啊么嘛着]|^(?:什|怎|哪|谁|几|是|在|有|和|就|都|也|还|我|你|您|他|她|它|这|那|们|很|会|要|把|被|给|对|不|没|为|之|其|而|于|以|者|我们|你们|他们|她们|多少|多久|为何|哪里|哪儿|哪个|时候|现在|最后|我的|可以|应该)$/u;
/** Endings and particles of Japanese are written in hiragana, and seldom anything else. */
const HIRAGANA = /^\p{Script=Hiragana}+$/u;

function isCjkStop(word: string): boolean {
  return CHINESE_STOP.test(word) || HIRAGANA.test(word);
}

class QuestionSink implements ScanSink {
  readonly text: string;
  readonly words: QuestionWord[] = [];
  readonly #languages: readonly Language[];
  /** Whose stop words count: "die" is one in German and none in English. */
  readonly #guess: Language;
  readonly #known = new Set<string>();

  constructor(text: string, languages: readonly Language[], guess: Language) {
    this.text = text;
    this.#languages = languages;
    this.#guess = guess;
  }

  push(start: number, end: number): void {
    const word = foldedSlice(this.text, start, end);
    this.#add({ word, terms: [word], isStop: false, isHint: false, isPlain: false });
  }

  pushWord(start: number, end: number): void {
    const raw = boundedSlice(this.text, start, end).toLowerCase();
    const terms = this.#languages.flatMap((language) => stemTerms(raw, language));
    const word = foldedSlice(this.text, start, end);
    const isStop = isStopWord(word, [this.#guess]);
    this.#add({
      word,
      terms: [...new Set(terms)],
      isStop,
      isHint: false,
      isPlain: PLAIN.test(word),
    });
  }

  pushAsIs(start: number, end: number): void {
    const word = this.text.slice(start, end);
    const isHint = HAN.test(word) && this.#standsInRun(start, end);
    this.#add({ word, terms: [word], isStop: isCjkStop(word), isHint, isPlain: false });
  }

  #standsInRun(start: number, end: number): boolean {
    const isCjk = (at: number) =>
      at >= 0 && at < this.text.length && classAt(this.text, at) === CJK;
    return isCjk(start - 1) || isCjk(end);
  }

  #add(word: QuestionWord): void {
    // Two forms of one word are one word: it does not count twice for being asked twice.
    const [key] = word.terms;
    if (key === undefined || key === "" || this.#known.has(key)) return;
    if (this.words.length === QUESTION_WORD_COUNT_MAX) return;
    this.#known.add(key);
    this.words.push(word);
  }
}
