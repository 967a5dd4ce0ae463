import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import {
  type CrashReport,
  crashedError,
  encodeCrashReport,
  REPORT_BYTES_MAX,
} from "../../src/events/crash-report.ts";

const SECRET = "xyzzy-plugh";

const ownMessage = (error: unknown) => (error instanceof MemspoolError ? error.message : undefined);

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new TypeError("nothing was thrown");
}

function shown(thrown: unknown) {
  return crashedError(thrown, ownMessage);
}

describe("what is kept of an error", () => {
  it("P10: JSON.parse quotes the text that it was given; the report does not", () => {
    const error = thrownBy(() => JSON.parse(SECRET));
    expect(String(error)).toContain(SECRET.slice(0, 5));
    const kept = shown(error);
    expect(kept).toMatchObject({ name: "SyntaxError", code: null, message: null });
    expect(kept.frames[0]).toBe("at JSON.parse (<anonymous>)");
    expect(kept.frames.join()).toContain("crash-report.test.ts");
    expect(JSON.stringify(kept)).not.toContain(SECRET.slice(0, 5));
  });

  it("P10: a message whose lines look like frames leaves none of them behind", () => {
    const text = "one\n    at plugh (/home/a/plugh.js:1:2)\n    at plugh (node:fs:1:1)";
    const kept = shown(new Error(text));
    expect(kept.frames.length).toBeGreaterThan(0);
    expect(JSON.stringify(kept)).not.toContain("plugh");
    const changed = new Error(text);
    expect(changed.stack).toContain("plugh"); // makes it: it is put together when it is first asked
    changed.message = "changed after the throw";
    expect(shown(changed).frames).toEqual([]);
  });

  it("P10: a stack that somebody wrote anew shows nothing but frames", () => {
    const error = new Error("");
    error.stack = `Error\n${SECRET}\n    at ${SECRET}\n    at f (/a/b.js:1:2)`;
    expect(shown(error).frames).toEqual(["at f (/a/b.js:1:2)"]);
  });

  it("P10: keeps a message of ours, with the cause behind it without its own", () => {
    const cause = thrownBy(() => JSON.parse(SECRET));
    const kept = shown(new MemspoolError("STORE_UNAVAILABLE", "The store is away.", { cause }));
    expect(kept).toMatchObject({
      name: "MemspoolError",
      code: "STORE_UNAVAILABLE",
      message: "The store is away.",
      cause: { name: "SyntaxError", message: null },
    });
    expect(JSON.stringify(kept)).not.toContain(SECRET);
  });

  it("P10: keeps errno and system call, and no path", () => {
    const error = Object.assign(new Error(`ENOSPC: write '/home/${SECRET}'`), {
      ...{ code: "ENOSPC", syscall: "write", path: `/home/${SECRET}` },
    });
    expect(shown(error)).toMatchObject({ code: "ENOSPC", syscall: "write", message: null });
    expect(JSON.stringify(shown(error))).not.toContain(SECRET);
  });

  it("P10: names and codes that are no names and codes are left out", () => {
    const error = Object.assign(new Error(""), { code: `${SECRET} `, syscall: SECRET });
    error.name = `${SECRET} said`;
    expect(shown(error)).toMatchObject({ name: "Error", code: null, syscall: null });
  });

  it("P10: of what is no error only its kind is kept", () => {
    expect([SECRET, { SECRET }, undefined, null, 7].map((thrown) => shown(thrown).name)).toEqual([
      ...["string", "object", "undefined", "null", "number"],
    ]);
  });

  it("P10: an error that throws when it is looked at is taken as it is", () => {
    class Hostile extends Error {
      override get name(): string {
        throw new Error(SECRET);
      }
      get code(): string {
        throw new Error(SECRET);
      }
    }
    expect(JSON.stringify(shown(new Hostile()))).not.toContain(SECRET);
  });

  it("P10: a chain of causes and a deep stack are cut", () => {
    const loop = new Error("a");
    loop.cause = loop;
    expect(JSON.stringify(shown(loop)).match(/"cause":\{/g)).toHaveLength(3);
    const deep = new Error("");
    deep.stack = `Error: \n${"    at f (/a/b.js:1:2)\n".repeat(500)}`;
    expect(shown(deep).frames).toHaveLength(50);
  });
});

it("P10: a report is bounded, whatever the ring holds", () => {
  const signal = { context: { reason: "x".repeat(50_000) } };
  const report = {
    ...{ version: "1", node: "v20", platform: "linux", time: "", pid: 1, uptime_s: 1 },
    ...{ thread: "main", fatal: true, error: shown(new Error("a")), snapshots: [] },
    signals: new Array(100).fill(signal),
  } as unknown as CrashReport;
  const encoded = encodeCrashReport(report);
  expect(encoded.length).toBeLessThanOrEqual(REPORT_BYTES_MAX);
  expect(JSON.parse(encoded.toString())).toMatchObject({ pid: 1, signals: [], snapshots: [] });
});
