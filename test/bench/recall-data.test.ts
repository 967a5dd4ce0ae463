/** The data of the recall bench fits together, and a faulty set is refused by name. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  HALVES,
  KINDS,
  type Question,
  readQuestions,
  readTurns,
  type Turn,
  turnKey,
} from "../../bench/recall/dataset.mjs";
import { parseRecord } from "../../src/record/memory-record.ts";

const QUESTIONS_PER_KIND_MIN = 20;
const TURN_COUNT_MIN = 4_000;

interface Half {
  readonly turns: readonly Turn[];
  readonly questions: readonly Question[];
}

function readHalf(half: string): Half {
  const turns = readTurns(`bench/recall/data/${half}`);
  return { turns, questions: readQuestions(`bench/recall/questions-${half}.jsonl`, turns) };
}

const halves: ReadonlyMap<string, Half> = new Map(HALVES.map((half) => [half, readHalf(half)]));
const everything = [...halves.values()];

describe("the shipped data", () => {
  it("has enough turns for finding to be no accident", () => {
    expect(everything.flatMap(({ turns }) => turns).length).toBeGreaterThanOrEqual(TURN_COUNT_MIN);
  });

  it("has ids of their own over both halves", () => {
    const ids = everything.flatMap(({ questions }) => questions.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("has every question in the file of its half, and of a known kind", () => {
    for (const [name, { questions }] of halves) {
      for (const { id, half, kind, question } of questions) {
        expect(half, id).toBe(name);
        expect(KINDS, id).toContain(kind);
        expect(question.trim(), id).toBe(question);
        expect(question, id).not.toBe("");
      }
    }
  });

  it("asks no question twice of the same turns", () => {
    const asked = everything.flatMap(({ questions }) => questions.map(({ question }) => question));
    expect(new Set(asked).size).toBe(asked.length);
  });

  it("has evidence without repeats, of one conversation a question", () => {
    for (const { questions } of everything) {
      for (const { id, evidence } of questions) {
        expect(new Set(evidence.map(turnKey)).size, id).toBe(evidence.length);
        const conversations = evidence.map(({ session }) => session.split("/")[0]);
        expect(new Set(conversations).size, id).toBe(1);
      }
    }
  });

  it("needs two turns for two facts", () => {
    const questions = everything.flatMap((half) => half.questions);
    for (const { id, kind, evidence } of questions) {
      if (kind === "two-facts") expect(evidence.length, id).toBeGreaterThan(1);
    }
  });

  it("shares no conversation and no long text between the halves", () => {
    const [dev, heldOut] = everything.map(({ turns }) => ({
      conversations: new Set(turns.map(({ session }) => session.split("/")[0])),
      texts: new Set(turns.map(({ text }) => text).filter((text) => text.length > 60)),
    }));
    expect([...(dev?.conversations ?? [])].filter((x) => heldOut?.conversations.has(x))).toEqual(
      [],
    );
    expect([...(dev?.texts ?? [])].filter((text) => heldOut?.texts.has(text))).toEqual([]);
  });

  it("has enough questions of each kind, in each half about as many", () => {
    for (const kind of KINDS) {
      const counts = everything.map(
        ({ questions }) => questions.filter((question) => question.kind === kind).length,
      );
      const all = counts.reduce((sum, count) => sum + count, 0);
      expect(all, kind).toBeGreaterThanOrEqual(QUESTIONS_PER_KIND_MIN);
      for (const count of counts) expect(count, kind).toBeGreaterThan(all / 4);
    }
  });

  it("has turns that can be captured, numbered from one without gaps", () => {
    for (const { turns } of everything) {
      const last = new Map<string, number>();
      for (const { session, turn, text, at, role, speaker } of turns) {
        expect(turn, session).toBe((last.get(session) ?? 0) + 1);
        last.set(session, turn);
        expect(text.trim(), `${session}#${turn}`).not.toBe("");
        const record = { surface: text, session_id: session, source: speaker, role };
        expect(() => parseRecord({ ...record, occurred_at: at })).not.toThrow();
      }
    }
  });

  it("has times that never go back within a session", () => {
    for (const { turns } of everything) {
      const last = new Map<string, string>();
      for (const { session, turn, at } of turns) {
        if (at === undefined) continue;
        expect(at >= (last.get(session) ?? ""), `${session}#${turn}`).toBe(true);
        last.set(session, at);
      }
    }
  });
});

describe("a data set of one's own", () => {
  const made: string[] = [];
  afterEach(() => {
    for (const dir of made.splice(0)) rmSync(dir, { recursive: true });
  });

  function write(text: string): string {
    const dir = mkdtempSync(join(tmpdir(), "memspool-recall-data-"));
    made.push(dir);
    const file = join(dir, "lines.jsonl");
    writeFileSync(file, text);
    return file;
  }

  const TURN = '{"session":"s","turn":1,"text":"hello"}';
  const turns: Turn[] = [{ session: "s", turn: 1, text: "hello" }];

  it("is read from a file, empty lines apart", () => {
    expect(readTurns(write(`${TURN}\n\n`))).toEqual(turns);
  });

  it.each([
    ["no JSON", "{", /lines\.jsonl:1 is not JSON/],
    ["a turn without a number", '{"session":"s","text":"x"}', /:1 needs a session/],
    ["a turn without a text", '{"session":"s","turn":1}', /:1 needs a text/],
    ["a turn twice", `${TURN}\n${TURN}`, /:2 repeats s#1/],
  ])("is refused for %s", (_what, text, message) => {
    expect(() => readTurns(write(text))).toThrow(message);
  });

  const question = (evidence: unknown) =>
    JSON.stringify({ id: "q", kind: "who", question: "who?", evidence });

  it.each([
    ["evidence that is no turn", question([{ session: "s", turn: 2 }]), /names s#2 as evidence/],
    ["no evidence", question([]), /:1 needs evidence/],
    ["no question", '{"id":"q","kind":"who","evidence":[]}', /needs a kind and a question/],
    [
      "an id twice",
      Array(2)
        .fill(question([{ session: "s", turn: 1 }]))
        .join("\n"),
      /:2 needs an id/,
    ],
  ])("is refused for a question with %s", (_what, text, message) => {
    expect(() => readQuestions(write(text), turns)).toThrow(message);
  });
});
