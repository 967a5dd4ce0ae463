// What a run of the recall bench is asked for. A wrong call is a Refusal, with exit code 2.
import { existsSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { HALVES } from "./dataset.mjs";

export class Refusal extends Error {
  exitCode = 2;
}

/** A path beside this file. */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const halfSource = (half) => ({
  name: half,
  data: here(`data/${half}`),
  questions: here(`questions-${half}.jsonl`),
});

/**
 * @returns {{sources: {name: string, data: string, questions: string}[], kinds?: string[],
 *   by: "kind" | "lang", ablate: boolean, showMisses: boolean, json: boolean}}
 * @throws Refusal
 */
export function readOptions(args) {
  const given = parse(args);
  if (!["kind", "lang"].includes(given.by)) throw new Refusal("--by is kind or lang");
  const sources = sourcesOf(given);
  if (given["show-misses"] && sources.some(isHeldOut)) {
    throw new Refusal(
      "--show-misses is for the dev half: whoever sees the others' misses tunes on them",
    );
  }
  return {
    sources,
    kinds: given.kind?.split(","),
    by: given.by,
    ablate: given.ablate,
    showMisses: given["show-misses"],
    json: given.json,
  };
}

function parse(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        half: { type: "string", default: "dev" },
        kind: { type: "string" },
        by: { type: "string", default: "kind" },
        data: { type: "string" },
        questions: { type: "string" },
        ablate: { type: "boolean", default: false },
        "show-misses": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
    return values;
  } catch (error) {
    throw new Refusal(error.message);
  }
}

function sourcesOf({ half, data, questions }) {
  if (![...HALVES, "both"].includes(half)) throw new Refusal("--half is dev, held-out or both");
  if ((data === undefined) !== (questions === undefined)) {
    throw new Refusal("--data and --questions go together: your own data set and what to ask it");
  }
  if (data === undefined) {
    return HALVES.filter((each) => half === "both" || half === each).map(halfSource);
  }
  for (const path of [data, questions]) {
    if (!existsSync(path)) throw new Refusal(`${path} does not exist`);
  }
  return [{ name: data, data, questions }];
}

/** Also when it is named by its path, or a file of it is. */
function isHeldOut({ data, questions }) {
  const kept = halfSource("held-out");
  const paths = [data, questions].map((path) => realpathSync(path));
  return [kept.data, kept.questions]
    .map((path) => realpathSync(path))
    .some((path) => paths.some((each) => each === path || each.startsWith(`${path}/`)));
}
