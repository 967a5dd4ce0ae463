import { readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { hooksDirectory } from "../../src/hooks/hooks-directory.ts";
import {
  markTurn,
  type SaidTurn,
  SESSION_AGE_MAX_MS,
  sweepSessions,
} from "../../src/hooks/turn-marks.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const SAID: SaidTurn = {
  client: "claude-code",
  sessionId: "../../s1",
  role: "user",
  surface: "go on",
  turnId: undefined,
};

it("C2: the same words are counted for each session, role and client", () => {
  const paths = hooksDirectory(freshDirectory());
  const times = (change: Partial<SaidTurn> = {}) => markTurn(paths, { ...SAID, ...change });
  expect([times(), times(), times()]).toEqual([1, 2, 3]);
  expect(times({ role: "assistant" })).toBe(1);
  expect(times({ sessionId: "s2" })).toBe(1);
  expect(times({ client: "codex" })).toBe(1);
  expect(times({ surface: "go on!" })).toBe(1);
  expect(times()).toBe(4);
});

it("C2: a turn that is told again keeps its number", () => {
  const paths = hooksDirectory(freshDirectory());
  const times = (turnId: string | undefined) => markTurn(paths, { ...SAID, turnId });
  expect([times("p1"), times("p1"), times("p2"), times("p1"), times("p2")]).toEqual([
    1, 1, 2, 1, 2,
  ]);
  expect([times(undefined), times("p3"), times("p3")]).toEqual([3, 4, 4]);
});

it("X1: neither an id nor a word becomes part of a path or of a mark", () => {
  const home = freshDirectory();
  markTurn(hooksDirectory(home), { ...SAID, turnId: "turn-words" });
  const names = readdirSync(home, { recursive: true }) as string[];
  expect(names).toHaveLength(4);
  const mark = names.find((name) => name.endsWith("-1")) ?? "";
  expect(mark).toMatch(/^hooks\/turns\/[0-9a-f]{32}\/user-[0-9a-f]{32}-1$/);
  expect(readFileSync(join(home, mark), "utf8")).toMatch(/^[0-9a-f]{32}$/);
});

it("C2: marks of sessions that are long over are swept, others stay", () => {
  const paths = hooksDirectory(freshDirectory());
  expect(sweepSessions(paths, Date.now())).toBe(0);
  markTurn(paths, SAID);
  const [old = ""] = readdirSync(paths.turnsDir);
  markTurn(paths, { ...SAID, sessionId: "s2" });
  const nowMs = Date.now();
  const longAgo = new Date(nowMs - SESSION_AGE_MAX_MS - 1_000);
  utimesSync(join(paths.turnsDir, old), longAgo, longAgo);
  expect(sweepSessions(paths, nowMs)).toBe(1);
  expect(markTurn(paths, SAID)).toBe(1);
  expect(markTurn(paths, { ...SAID, sessionId: "s2" })).toBe(2);
});
