import { describe, expect, it } from "vitest";
import { z } from "zod";
import { MemspoolError } from "../../src/errors.ts";
import { ANSWER_CHARS_MAX } from "../../src/record/limits.ts";
import { TOOLS } from "../../src/tools/catalogue.ts";
import { defineTool, type ToolDefinition } from "../../src/tools/define-tool.ts";
import { findTool, runTool, type ToolAnswer } from "../../src/tools/run-tool.ts";
import { FakeMemory } from "../support/fake-memory.ts";

interface Answered {
  error: { code: string; message: string; retryable: boolean; [detail: string]: unknown };
}

async function run(
  name: string,
  args: unknown,
  memory = new FakeMemory(),
): Promise<ToolAnswer & { error: Answered["error"]; memory: FakeMemory }> {
  const answer = await runTool(findTool(TOOLS, name), args, {
    memory,
    signal: new AbortController().signal,
    progress: () => {},
  });
  return { ...answer, error: (answer.structured as unknown as Answered).error, memory };
}

function toolThat(run: () => Promise<object>): ToolDefinition {
  return defineTool({
    name: "probe",
    description: "",
    inputSchema: z.strictObject({}),
    outputSchema: z.object({}),
    annotations: TOOLS[0]?.annotations as never,
    run,
  }) as unknown as ToolDefinition;
}

const anyContext = {
  memory: new FakeMemory(),
  signal: new AbortController().signal,
  progress: () => {},
};

describe("running a tool", () => {
  it("T11: refuses an unknown argument by its name, before anything runs", async () => {
    const { isError, error, memory, text } = await run("memory_capture", {
      surface: "kept out of the answer",
      surfase: "typo",
    });
    expect(isError).toBe(true);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", retryable: false });
    expect(error.message).toContain('unknown argument "surfase"');
    expect(error.message).toContain("It takes: surface, cue");
    expect(text).not.toContain("kept out of the answer");
    expect(memory.calls).toEqual([]);
  });

  it("T11: says a bound in words of its own", async () => {
    const problems = async (name: string, args: object) =>
      (await run(name, args)).error.problems as string[];
    expect(await problems("memory_search", { query: "x", limit: 101 })).toEqual([
      "limit must be at most 100",
    ]);
    expect(await problems("queue_flush", { timeout_ms: 1 })).toEqual([
      "timeout_ms must be at least 100",
    ]);
    expect(await problems("memory_search", { query: "x".repeat(100_000) })).toEqual([
      expect.stringMatching(/^query must be at most \d+ characters long$/),
    ]);
    expect(await problems("memory_capture", { surface: "x", tags: Array(999).fill("t") })).toEqual([
      expect.stringMatching(/^tags must be at most \d+ entries long$/),
    ]);
  });

  it("T11: tells a missing argument from one of a wrong type, and neither repeats a value", async () => {
    const missing = await run("memory_get", {});
    expect(missing.error.message).toContain("ulid is required (string)");
    const wrong = await run("memory_search", { query: "x", limit: "many" });
    expect(wrong.error.message).toContain("limit must be of type number");
    expect(wrong.text).not.toContain("many");
    const over = await run("memory_search", { query: "x", limit: 101 });
    expect(over.error.message).toMatch(/limit .*100/);
  });

  it.each([[[]], ["text"], [7]])("T11: refuses arguments that are no object: %j", async (args) => {
    const { error } = await run("queue_status", args);
    expect(error.message).toContain("the input must be of type object");
  });

  it("T11: takes absent arguments as none", async () => {
    expect((await run("queue_status", undefined)).isError).toBe(false);
    expect((await run("queue_status", null)).isError).toBe(false);
  });

  it("T11: names a tool that is not there, and those that are", () => {
    expect(() => findTool(TOOLS, "memory_forgot")).toThrow(/"memory_forgot".*memory_capture/);
    expect(() => findTool(TOOLS, undefined)).toThrow(/without a name/);
    expect(() => findTool(TOOLS, "x".repeat(10_000))).toThrow(/^.{1,400}$/);
    expect(() => findTool(TOOLS, "toString")).toThrow(MemspoolError);
  });

  it("T11: a failure of ours keeps its code, its details and whether to retry", async () => {
    const memory = new FakeMemory();
    memory.failure = new MemspoolError("CAPTURE_FAILED", "The disk is full. Make room.", {
      details: { stored: "unknown", ulid: "01JZX0W7Q2M3N4P5R6S7T8V9WA" },
    });
    const { error, isError, text, structured } = await run(
      "memory_capture",
      { surface: "a" },
      memory,
    );
    expect(isError).toBe(true);
    expect(error).toEqual({
      code: "CAPTURE_FAILED",
      message: "The disk is full. Make room.",
      retryable: true,
      stored: "unknown",
      ulid: "01JZX0W7Q2M3N4P5R6S7T8V9WA",
    });
    expect(JSON.parse(text)).toEqual(structured);
  });

  it("T11: the text of a failure that is not ours is never shown", async () => {
    const memory = new FakeMemory();
    memory.failure = new Error("SQLITE_BUSY: another record's words");
    const { error, text } = await run("memory_search", { query: "a" }, memory);
    expect(error.code).toBe("INTERNAL");
    expect(text).not.toMatch(/SQLITE|another record/);
  });

  it("T11: a thousand unknown arguments with long names make a short answer", async () => {
    const args = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, index) => [`\u0001"${index}${"n".repeat(500)}`, 1]),
    );
    const { text, error } = await run("queue_status", args);
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(text.length).toBeLessThan(20_000);
  });

  it("T11: arguments nested deeper than the stack are refused, not fatal", async () => {
    const depth = 200_000;
    const metadata = JSON.parse(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`);
    const { error } = await run("memory_capture", { surface: "a", metadata });
    expect(error).toMatchObject({ code: "RECORD_INVALID", retryable: false });
    const unknown = await run("queue_status", metadata);
    expect(unknown.error.code).toBe("INVALID_ARGUMENT");
  });

  it("T11: an answer that a tool failed to bound is replaced by an error", async () => {
    const huge = toolThat(async () => ({ text: "x".repeat(ANSWER_CHARS_MAX) }));
    const { isError, text, structured } = await runTool(huge, {}, anyContext);
    expect(isError).toBe(true);
    expect(text.length).toBeLessThan(1_000);
    expect(structured).toMatchObject({ error: { code: "INTERNAL" } });
    const allowed = toolThat(async () => ({ text: "x".repeat(ANSWER_CHARS_MAX - 11) }));
    const answer = await runTool(allowed, {}, anyContext);
    expect(answer.isError).toBe(false);
    expect(answer.text).toHaveLength(ANSWER_CHARS_MAX);
  });

  it("T11: details are bounded like everything else", async () => {
    const wordy = toolThat(async () => {
      throw new MemspoolError("INVALID_ARGUMENT", "m".repeat(100_000), {
        details: {
          problems: Array.from({ length: 1_000 }, () => "p".repeat(10_000)),
          file: "f".repeat(10_000),
          limit: 5,
        },
      });
    });
    const { text, structured } = await runTool(wordy, {}, anyContext);
    expect(text.length).toBeLessThan(20_000);
    expect(structured).toMatchObject({ error: { limit: 5 } });
  });
});
