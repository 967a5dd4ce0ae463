/**
 * What the user's own regular expressions find in a text.
 *
 * Guarantees: bounded time. An expression that backtracks for ever is ended after
 * PATTERN_MS_MAX, by running it where V8 can be interrupted, and then the capture is refused:
 * storing the text unlooked at would break a promise that storing nothing keeps.
 */
import { createContext, Script } from "node:vm";
import { MemspoolError } from "../../errors.ts";
import type { TextRange } from "./private-spans.ts";

/** For all expressions on one text. */
export const PATTERN_MS_MAX = 1_000;

const SEARCH = new Script(`
  found = [];
  for (const source of sources) {
    for (const match of text.matchAll(new RegExp(source, "gu"))) {
      if (match[0] !== "") found.push(match.index, match.index + match[0].length);
    }
  }
  found = JSON.stringify(found);
`);

/** @throws MemspoolError PRIVACY_FAILED if the time is over */
export function ownPatterns(
  text: string,
  sources: readonly string[],
  msMax = PATTERN_MS_MAX,
): TextRange[] {
  if (sources.length === 0) return [];
  const context = { text, sources, found: "[]" };
  try {
    SEARCH.runInContext(createContext(context), { timeout: msMax });
  } catch (error) {
    throw new MemspoolError(
      "PRIVACY_FAILED",
      `The expressions of privacy.patterns took longer than ${msMax} ms on this text, so it was ` +
        "not stored. Make them simpler: a repetition within a repetition is the usual cause.",
      { details: { setting: "privacy.patterns", limit_ms: msMax, stored: "no" }, cause: error },
    );
  }
  const flat = JSON.parse(context.found) as number[];
  const ranges: TextRange[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    ranges.push([flat[at] as number, flat[at + 1] as number]);
  }
  return ranges;
}
