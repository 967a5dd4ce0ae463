// The ways in which the search is run, each a part of its input. The one place to change when the
// search gets another option.
import { existsSync } from "node:fs";
import { loadSource } from "../load-source.mjs";

/** Where the search names its lifts, and under which export. */
const LIFTS_FILE = "src/memory/search-lifts.ts";
const LIFTS_EXPORT = "SEARCH_LIFTS";

const AS_SHIPPED = { name: "memspool", input: {} };

/**
 * @param dir where a bundle may lie until the end of the run
 * @param ablate also each lift switched off, and all of them
 * @returns {Promise<{name: string, input: object}[]>} the first is the search as it is shipped
 */
export async function searchVariants(dir, { ablate }) {
  if (!ablate) return [AS_SHIPPED];
  const names = await liftNames(dir);
  const off = (some) => ({ lifts: Object.fromEntries(some.map((name) => [name, false])) });
  return [
    AS_SHIPPED,
    ...names.map((name) => ({ name: `without ${name}`, input: off([name]) })),
    ...(names.length > 0 ? [{ name: "no lifts", input: off(names) }] : []),
  ];
}

/** A list of names, or an object whose keys they are; none while the search has no lifts. */
async function liftNames(dir) {
  if (!existsSync(new URL(`../../${LIFTS_FILE}`, import.meta.url))) return [];
  const { [LIFTS_EXPORT]: lifts } = await loadSource(dir, { [LIFTS_FILE]: [LIFTS_EXPORT] });
  return Array.isArray(lifts) ? lifts : Object.keys(lifts);
}
