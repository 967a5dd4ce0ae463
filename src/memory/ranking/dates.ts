/**
 * Dates: when the question is about. A record that was said on 7 May 2023 holds the words "7 May
 * 2023" as far as a question is concerned, whether they stand in its text or not.
 *
 * Guarantees: a question without a word or number that could be a date costs nothing; the parser is
 * loaded at the first that has one. Days are those of UTC, widened by DAY_SLACK_MS at both ends,
 * since nobody knows the time zone in which a memory was made. A month or a day without a year means
 * that of any year. A day of the week or a time alone says nothing.
 */
import { timeMs } from "../../record/memory-record.ts";
import type { Language } from "../../text/languages.ts";
import { readQuestion } from "../../text/question.ts";
import type { Asked, AskedDate, AskedWord, Candidate, DateRange, Scored } from "./scored.ts";

const DAY_MS = 86_400_000;
const DAY_SLACK_MS = DAY_MS / 2;
const WEEK_SLACK_MS = 4 * DAY_MS;
const QUERY_CHARS_MAX = 400;
const WEEK = /week|woche|semaine|semana|settimana|недел|週|周/iu;

/** What a date is made of, in the languages that the parser knows: a digit, a month, "last week". */
const MAY_BE_DATE =
  /\d|\b(?:jan|feb|mar|apr|ma[iy]|jun|jul|aug|aout|août|sep|oct|okt|nov|dec|dez|déc|ene|abr|ago|dic|fév|avr|yesterday|today|tonight|ago|last|past|previous|recent|gestern|heute|letzte|vor|hier|dernier|ayer|hoy|pasad)|昨|今日|先週|先月|去年|上周|上个月|月|어제|지난/iu;

interface ChronoParser {
  parse(
    text: string,
    reference: Date,
  ): readonly {
    readonly text: string;
    readonly start: ChronoTime;
    readonly end?: ChronoTime | null;
  }[];
}
interface ChronoTime {
  get(part: "year" | "month" | "day"): number | null;
  isCertain(part: "year" | "month" | "day"): boolean;
}

/** @param nowMs what "last week" counts from */
export async function datesOf(
  query: string,
  languages: readonly Language[],
  nowMs: number,
): Promise<AskedDate[]> {
  const head = query.slice(0, QUERY_CHARS_MAX);
  if (!MAY_BE_DATE.test(head)) return [];
  const parser = await parserFor(languages[0] ?? "en", head);
  return parser.parse(head, new Date(nowMs)).flatMap(({ text, start, end }) => {
    const range = rangeOf(start, end);
    if (range === undefined) return [];
    if (!("fromMs" in range) || !WEEK.test(text)) return { range, text };
    // "last week" is read as one day of it.
    const [fromMs, toMs] = [range.fromMs - WEEK_SLACK_MS, range.toMs + WEEK_SLACK_MS];
    return { range: { fromMs, toMs }, text };
  });
}

async function parserFor(language: Language, text: string): Promise<ChronoParser> {
  if (/[\u3040-\u30ff]/u.test(text)) return (await import("chrono-node/ja")) as ChronoParser;
  if (/[\u4e00-\u9fff]/u.test(text)) return (await import("chrono-node/zh")) as ChronoParser;
  switch (language) {
    case "de":
      return import("chrono-node/de");
    case "fr":
      return import("chrono-node/fr");
    case "es":
      return import("chrono-node/es");
    case "it":
      return import("chrono-node/it");
    case "pt":
      return import("chrono-node/pt");
    case "nl":
      return import("chrono-node/nl");
    case "ru":
      return import("chrono-node/ru");
    default:
      return import("chrono-node/en");
  }
}

function rangeOf(start: ChronoTime, end: ChronoTime | null | undefined): DateRange | undefined {
  const first = spanOf(start);
  if (first === undefined || !("fromMs" in first)) return first;
  const last = end ? spanOf(end) : undefined;
  return last !== undefined && "toMs" in last ? { fromMs: first.fromMs, toMs: last.toMs } : first;
}

function spanOf(time: ChronoTime): DateRange | undefined {
  if (!time.isCertain("month")) return undefined;
  const month = time.get("month") as number;
  const day = time.isCertain("day") ? (time.get("day") as number) : undefined;
  if (!time.isCertain("year")) return { month, day };
  const year = time.get("year") as number;
  const fromMs = Date.UTC(year, month - 1, day ?? 1);
  const toMs = day === undefined ? Date.UTC(year, month, 1) : fromMs + DAY_MS;
  return { fromMs: fromMs - DAY_SLACK_MS, toMs: toMs + DAY_SLACK_MS };
}

/** Which of the words the dates are made of. */
export function dateWordsOf(
  dates: readonly AskedDate[],
  words: readonly AskedWord[],
): ReadonlySet<number> {
  const parts = new Set(
    dates.flatMap(({ text }) => readQuestion(text).words.map(({ word }) => word)),
  );
  return new Set([...words.keys()].filter((at) => parts.has(words[at]?.word ?? "")));
}

export function isDated(
  { dates }: Pick<Asked, "dates">,
  { record, appendedAt }: Pick<Candidate, "record" | "appendedAt">,
): boolean {
  if (dates.length === 0) return false;
  const atMs = timeMs(record.occurred_at ?? appendedAt);
  return dates.some((range) => isWithin(atMs, range));
}

/** What a record that was said then gains: the weight of the date's words that it does not hold. */
export function dateScore({ dateWords, weights }: Asked, hit: Scored): number {
  let gained = 0;
  for (const at of dateWords) if (hit.words[at] === 0) gained += weights[at] as number;
  return gained;
}

function isWithin(atMs: number, range: DateRange): boolean {
  if ("fromMs" in range) return atMs >= range.fromMs && atMs < range.toMs;
  const date = new Date(atMs);
  if (date.getUTCMonth() + 1 !== range.month) return false;
  return range.day === undefined || Math.abs(date.getUTCDate() - range.day) <= 1;
}
