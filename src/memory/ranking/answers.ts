/**
 * Answers: what kind of thing is asked for. "How many", "when" and their like in other languages are
 * answered by texts with a number or a time in them; and a question is seldom the answer to another.
 */
import type { Asked, AskedKinds, Scored } from "./scored.ts";

const KIND_GAIN = 0.3;
const QUESTION_SHARE = 0.8;

/** What asks for a number or an amount. */
const ASKS_NUMBER =
  /\b(?:how (?:many|much|old|long|far|tall|big|often|large|high)|what (?:\w+ )?(?:number|size|price|cost|age|percentage|port|version|amount|score|speed|weight)|wie ?viele?|wie (?:alt|lang|lange|oft|hoch|gross|groß|teuer)|combien|quel (?:âge|prix)|cu[aá]nt[oa]s?|quant[oi]|quantos?|hoeveel)\b|多少|几|幾|いくつ|いくら|何(?:人|個|回|歳|円|分|時間|キロ)|몇|얼마/iu;
/** What asks for a time. */
const ASKS_TIME =
  /\b(?:when|what (?:time|day|date|month|year)|which (?:day|date|month|year)|how long ago|since when|wann|seit wann|quand|depuis quand|cu[aá]ndo|quando|wanneer)\b|什么时候|何时|哪天|几点|几月|いつ|何時|何日|何曜日|언제/iu;

const HAS_NUMBER =
  /\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|twenty|thirty|forty|fifty|sixty|hundred|thousand|million|half|twice|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|deux|trois|quatre|cinq|sept|huit|neuf|dix|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez)\b|[一二三四五六七八九十百千万两]/iu;
const HAS_TIME =
  /\d|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|yesterday|today|tomorrow|tonight|ago|last|next|week(?:end)?s?|months?|years?|morning|evening|spring|summer|autumn|fall|winter|christmas|easter|gestern|heute|morgen|woche|monat|jahr|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|hier|demain|semaine|mois|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|ayer|mañana|semana|mes|lunes|martes|jueves|viernes|domingo)\b|[日月年週周]|昨|今|明|지난|오늘|내일|요일/iu;
/** Its last words ask. */
const IS_QUESTION = /[?？]["'”’»)\s]*$/u;
const LOOKED_AT_CHARS = 4_096;

export function kindsOf(query: string): AskedKinds {
  return { number: ASKS_NUMBER.test(query), time: ASKS_TIME.test(query) };
}

export function answersFactor({ kinds }: Asked, { candidate }: Scored): number {
  const text = candidate.record.surface.slice(0, LOOKED_AT_CHARS);
  let factor = IS_QUESTION.test(text.slice(-16)) ? QUESTION_SHARE : 1;
  const wanted = (kinds.time && HAS_TIME.test(text)) || (kinds.number && HAS_NUMBER.test(text));
  if (wanted) factor *= 1 + KIND_GAIN;
  return factor;
}
