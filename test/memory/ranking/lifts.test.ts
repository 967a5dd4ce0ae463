/** Each step of the ranking: what it brings, and that it can be switched off. */
import { describe, expect, it } from "vitest";
import type { SearchInput } from "../../../src/memory/memory.ts";
import { SEARCH_LIFTS, type SearchLift } from "../../../src/memory/search-lifts.ts";
import type { MemoryRecord } from "../../../src/record/memory-record.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { MemoryBench } from "../../support/memory-bench.ts";

const OFF = Object.fromEntries(SEARCH_LIFTS.map((lift) => [lift, false]));
const only = (lift: SearchLift) => ({ ...OFF, [lift]: true });

/** Texts of the hits in their order, with one step alone and with none. */
async function orders(
  lift: SearchLift,
  query: string,
  records: readonly (string | MemoryRecord)[],
  clock?: ManualClock,
) {
  const bench = await MemoryBench.open(clock === undefined ? {} : { clock });
  await bench.captureStored(...records);
  const ask = async (lifts: SearchInput["lifts"]) => {
    const { results } = await bench.memory.search({ query, lifts, explain: true });
    return {
      texts: results.map(({ snippet }) => snippet.replaceAll(/[«»]/g, "")),
      times: results.map(({ at }) => at),
      steps: results.map(({ explain }) => explain?.steps),
    };
  };
  return { with: await ask(only(lift)), without: await ask(OFF) };
}

describe("steps of the ranking", () => {
  it("S4: stop_words: words that only ask weigh less, and alone find nothing", async () => {
    const records = [
      ...["What did you do? What did he do? What did they do?", "What did you do then?"],
      ...["Did he do what he did?", "The heron ate a frog."],
    ];
    const asked = await orders("stop_words", "what did the heron do", records);
    expect(asked.with.texts[0]).toBe("The heron ate a frog.");
    const unknown = await orders("stop_words", "what did the zebra do", records);
    expect(unknown.with.texts).toEqual([]);
    expect(unknown.without.texts.length).toBeGreaterThan(2);
  });

  it("S4: characters: one Han character of a longer run is a hint", async () => {
    const asked = await orders("characters", "马厩失火", ["厩焚。不问马。", "今天天气很好"]);
    expect(asked.with.texts).toEqual(["厩焚。不问马。"]);
    expect(asked.without.texts).toEqual([]);
  });

  it("S4: spelling: a word that nobody wrote stands for those that differ by a slip", async () => {
    const records = ["The hotel can accommodate nine.", "An accordion.", "Nothing of the kind."];
    const asked = await orders("spelling", "acommodate", records);
    expect(asked.with.texts).toEqual([records[0]]);
    expect(asked.without.texts).toEqual([]);
  });

  it("S4: coverage: the text that speaks of all passes the one that repeats a part", async () => {
    const asked = await orders("coverage", "heron reeds marsh", [
      "marsh marsh marsh marsh marsh reeds reeds",
      `a heron in the reeds of a marsh ${"and so on ".repeat(30)}`,
      "a heron",
    ]);
    const gained = asked.with.steps.map((steps) => steps?.coverage ?? 1);
    const whole = asked.with.texts.findIndex((text) => text.startsWith("a heron in"));
    expect(gained[whole]).toBe(2);
    const others = gained.filter((_, at) => at !== whole);
    expect(others.every((by) => by > 1 && by < 2)).toBe(true);
    expect(others).toHaveLength(2);
    expect(asked.without.steps).toEqual([{}, {}, {}]);
  });

  it("S4: answers: a number or a time where one is asked for, and no counter-question", async () => {
    const number = await orders("answers", "How much did the boat cost?", [
      "The boat did cost us 900 euros.",
      "The boat did cost us a fortune.",
    ]);
    expect(number.with.texts[0]).toContain("900");
    const time = await orders("answers", "When does the boat leave?", [
      "The boat leaves on Sunday.",
      "The boat leaves without us.",
    ]);
    expect(time.with.texts[0]).toContain("Sunday");
    const counter = await orders("answers", "boat paint", [
      "Boat paint is blue.",
      "Boat paint is blue?",
    ]);
    expect(counter.with.texts).toEqual(["Boat paint is blue.", "Boat paint is blue?"]);
    expect(counter.without.texts).toEqual(["Boat paint is blue?", "Boat paint is blue."]);
  });

  it("S4: speaker: whom the question names, in any script, and whose role it hints at", async () => {
    const said = (surface: string, fields: Partial<MemoryRecord>) => ({ surface, ...fields });
    const named = await orders("speaker", "What did Mára paint?", [
      said("I did paint the shed", { source: "Mara Lind" }),
      said("I did paint the fence", { source: "Jonas" }),
    ]);
    expect(named.with.texts[0]).toContain("shed");
    expect(named.without.texts[0]).toContain("fence");
    const unspaced = await orders("speaker", "小林养了什么宠物", [
      said("我养了宠物", { source: "小林" }),
      said("他养了宠物", { source: "小王" }),
    ]);
    expect(unspaced.with.texts[0]).toBe("我养了宠物");
    expect(unspaced.without.texts[0]).toBe("他养了宠物");
    const role = await orders("speaker", "Which paint did you recommend?", [
      said("oil paint", { role: "assistant" }),
      said("oil paint!", { role: "user" }),
    ]);
    expect(role.with.texts[0]).toBe("oil paint");
    expect(role.without.texts[0]).toBe("oil paint!");
  });

  it("S4: date: a day, a month of any year, and last week favour what was said then", async () => {
    const clock = new ManualClock(Date.parse("2026-11-27T12:00:00Z"));
    const at = (occurred_at: string) => ({ surface: "a boat trip", occurred_at });
    const records = [
      "2023-05-07T18:00:00Z",
      "2026-11-19T10:00:00Z",
      "2024-07-03",
      "2020-01-01",
    ].map(at);
    for (const [query, expected] of [
      ["boat trip on 7 May 2023", "2023-05-07"],
      ["boat trip last week", "2026-11-19"],
      ["boat trip in July", "2024-07-03"],
      ["Bootsausflug: der boat trip am 3. Juli 2024 war das nicht schön", "2024-07-03"],
    ] as const) {
      const asked = await orders("date", query, records, clock);
      expect(asked.with.times[0], query).toContain(expected);
      expect(asked.without.times[0], query).toContain("2020");
    }
    const none = await orders("date", "boat trip at 5 pm on Saturday", records, clock);
    expect(none.with.steps.every((steps) => steps?.date === undefined)).toBe(true);
  });

  it("S4: neighbours: the turn behind the one that holds the words is found, and lower", async () => {
    const turn = (surface: string, session_id = "s") => ({ surface, session_id });
    const asked = await orders("neighbours", "What colour is the boat?", [
      turn("Tell me: what colour is the boat"),
      turn("Green, with a white stripe."),
      turn("Good to know."),
      turn("Nothing at all.", "other"),
    ]);
    expect(asked.with.texts.slice(0, 2)).toEqual([
      ...["Tell me: what colour is the boat", "Green, with a white stripe."],
    ]);
    expect(asked.with.texts).not.toContain("Nothing at all.");
    expect(asked.without.texts).toEqual(["Tell me: what colour is the boat"]);
  });

  it("S4: who looks for a word, without asking, finds no text that lacks it", async () => {
    const bench = await MemoryBench.open();
    const turns = ["boat paint", "green", "fine"].map((surface) => ({ surface, session_id: "s" }));
    await bench.captureStored(...turns);
    const texts = async (query: string) =>
      (await bench.memory.search({ query })).results.map(({ total_chars }) => total_chars);
    expect(await texts("boat")).toEqual([10]);
    expect((await texts("which boat?")).length).toBeGreaterThan(1);
  });
});
