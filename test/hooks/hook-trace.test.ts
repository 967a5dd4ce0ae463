import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { countHook, hookCounts, noteFailure } from "../../src/hooks/hook-trace.ts";
import { hooksDirectory } from "../../src/hooks/hooks-directory.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const FAILURE = {
  ts: "2026-01-01T00:00:00.000Z",
  client: "codex",
  event: "Stop",
  code: "FIELD_MISSING",
  subject: "prompt",
};

it("C2: counts grow by one, and the last failure is known by its code and time", () => {
  const paths = hooksDirectory(freshDirectory());
  expect(hookCounts(paths)).toEqual({
    captured: 0,
    ignored: 0,
    failures: 0,
    last_captured_at: null,
    last_failure_at: null,
    last_failure_code: null,
  });
  countHook(paths, "captured");
  countHook(paths, "captured");
  countHook(paths, "ignored");
  noteFailure(paths, { ...FAILURE, ts: "2025-01-01T00:00:00.000Z", code: "INPUT_EMPTY" });
  noteFailure(paths, FAILURE);
  const { last_captured_at, ...counts } = hookCounts(paths);
  expect(counts).toEqual({
    captured: 2,
    ignored: 1,
    failures: 2,
    last_failure_at: FAILURE.ts,
    last_failure_code: "FIELD_MISSING",
  });
  expect(last_captured_at).toMatch(/^\d{4}-/);
});

it("C2: the list of failures is bounded and the count goes on; a name from outside is tamed", () => {
  const paths = hooksDirectory(freshDirectory());
  const event = "\u001b[31m\n\u{1f375}".repeat(1_000);
  for (let at = 0; at < 1_000; at++) noteFailure(paths, { ...FAILURE, event });
  for (const file of [paths.failuresFile, paths.olderFailuresFile]) {
    expect(statSync(file).size).toBeLessThan(70_000);
    expect(readFileSync(file, "utf8")).toMatch(/^[\x20-\x7e\n]+$/);
  }
  expect(hookCounts(paths)).toMatchObject({ failures: 1_000, last_failure_code: FAILURE.code });
});

it("C2: a line that a full disk tore hides neither the one before nor the next", () => {
  const paths = hooksDirectory(freshDirectory());
  noteFailure(paths, FAILURE);
  writeFileSync(paths.failuresFile, '{"ts":"2026', { flag: "a" });
  expect(hookCounts(paths).last_failure_code).toBe("FIELD_MISSING");
});

it("X1: a symlink in place of the directory or of a file is not followed", () => {
  const home = freshDirectory();
  const elsewhere = freshDirectory();
  symlinkSync(elsewhere, join(home, "hooks"));
  expect(() => countHook(hooksDirectory(home), "captured")).toThrow(/symbolic link/);
  const other = freshDirectory();
  mkdirSync(join(other, "hooks"));
  symlinkSync(join(elsewhere, "count"), join(other, "hooks", "captured.count"));
  expect(() => countHook(hooksDirectory(other), "captured")).toThrow(/ELOOP/);
});
