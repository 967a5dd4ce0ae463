/**
 * How often the same words were said by the same role in the same session, in a transcript's order:
 * the `nth` of a turn's key.
 *
 * Guarantees: grows with the number of different turns, not with their length; can be stored and
 * given back, and holds no text.
 */
import { createHash } from "node:crypto";
import type { Turn } from "./line-verdict.ts";

const DIGEST_CHARS = 20;

export class TurnCounts {
  readonly #counts: Map<string, number>;
  readonly #channels: Set<string>;

  /** @param stored what `entries` gave */
  constructor(stored: Readonly<Record<string, number>> = {}) {
    this.#counts = new Map(Object.entries(stored));
    this.#channels = new Set(Object.keys(stored).map((name) => name.slice(0, name.indexOf(":"))));
  }

  /**
   * Counts the turn.
   * @param words the turn's text as it is stored
   * @returns its number from 1, and whether another channel has told as many already
   */
  next(
    { role, sessionId, channel }: Pick<Turn, "role" | "sessionId" | "channel">,
    words: string,
  ): { nth: number; isToldTwice: boolean } {
    const digest = createHash("sha256")
      .update(JSON.stringify([role, sessionId, words]))
      .digest("base64url")
      .slice(0, DIGEST_CHARS);
    const nth = (this.#counts.get(`${channel}:${digest}`) ?? 0) + 1;
    this.#counts.set(`${channel}:${digest}`, nth);
    this.#channels.add(channel);
    const isToldTwice = [...this.#channels].some(
      (other) => other !== channel && (this.#counts.get(`${other}:${digest}`) ?? 0) >= nth,
    );
    return { nth, isToldTwice };
  }

  entries(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
