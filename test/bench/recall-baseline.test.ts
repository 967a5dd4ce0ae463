/** What the search is compared with does what its name says, and takes any question. */
import { expect, it } from "vitest";
import { BASELINES, openBaseline } from "../../bench/recall/baseline.mjs";

const TURNS = [
  { session: "s", turn: 1, speaker: "Ada", text: "The heron stood in the reeds." },
  { session: "s", turn: 2, speaker: "Ben", text: "A heron! I never saw a heron before." },
  { session: "s", turn: 3, text: "Nothing of the kind." },
];

it("OR finds any word, best first by bm25, and no more than the limit", () => {
  const search = openBaseline(TURNS, BASELINES["fts5 or"]);
  expect(search("heron reeds", 20)).toEqual(["s#1", "s#2"]);
  expect(search("heron", 1)).toEqual(["s#2"]);
  expect(search("Ben's kind", 20)).toEqual(["s#3"]);
});

it("AND wants every word", () => {
  const search = openBaseline(TURNS, BASELINES["fts5 and"]);
  expect(search("heron reeds", 20)).toEqual(["s#1"]);
  expect(search("heron reeds zeppelin", 20)).toEqual([]);
});

it("the form with speakers finds their names", () => {
  const search = openBaseline(TURNS, BASELINES["fts5 or, speaker"]);
  expect(search("what did Ada say?", 20)).toEqual(["s#1"]);
});

it("no question is an operator or an error", () => {
  const search = openBaseline(TURNS, BASELINES["fts5 or"]);
  expect(search('"kind" AND NOT (reeds* -', 20).sort()).toEqual(["s#1", "s#3"]);
  expect(search("?!", 20)).toEqual([]);
  expect(search("", 20)).toEqual([]);
});
