import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import { type FakeApp, makeFakeApp, ULID } from "../support/fake-app.ts";
import { type RunOptions, run as runAt } from "../support/run-program.ts";

let home: string;
let app: FakeApp;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "memspool-cli-"));
  app = makeFakeApp();
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const run = (argv: readonly string[], options: Partial<RunOptions> = {}) =>
  runAt(argv, { home, app, ...options });

describe("capture", () => {
  it("C1: captures its argument and prints the receipt", async () => {
    const { exitCode, stdout } = await run(["capture", "  the words  "]);
    expect(exitCode).toBe(0);
    expect(app.captured).toEqual([{ surface: "  the words  " }]);
    expect(stdout).toContain(ULID);
    expect(stdout).toContain(textSha256("  the words  "));
    expect(app.closed).toBe(1);
  });

  it("C1: captures stdin byte for byte, neither trimmed nor normalised", async () => {
    const text = "\ufeff line\r\n\u0000e\u0301 \u{1f600}\n\n";
    await run(["capture"], { stdin: text });
    await run(["capture", "-"], { stdin: "" });
    expect(app.captured.map(({ surface }) => surface)).toEqual([text, ""]);
  });

  it("C1: joins characters that stdin delivers in pieces", async () => {
    const bytes = Buffer.from("caf\u00e9 \u{1f375}");
    await run(["capture"], { stdin: Readable.from([...bytes].map((byte) => Buffer.from([byte]))) });
    expect(app.captured[0]?.surface).toBe("caf\u00e9 \u{1f375}");
  });

  it("C1: refuses stdin that is not UTF-8", async () => {
    const { exitCode, stderr } = await run(["capture"], { stdin: Uint8Array.of(0x61, 0xff) });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^error INVALID_ARGUMENT: .*not UTF-8/);
    expect(app.captured).toEqual([]);
  });

  it("X2: refuses a text over the limit, naming limit and size, and ends on a stream without end", async () => {
    const chunk = Buffer.alloc(65_536, "x");
    const { exitCode, stderr } = await run(["capture"], {
      stdin: Readable.from(Array.from({ length: 17 }, () => chunk)),
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("RECORD_TOO_LARGE");
    expect(stderr).toContain("1114112 bytes, the limit is 1048576");
    function* endless() {
      for (;;) yield chunk;
    }
    const second = await run(["capture"], { stdin: Readable.from(endless()) });
    expect(second.stderr).toContain("more than 67108864");
  });

  it("C1: takes every field of a record as an option", async () => {
    const flags = {
      "--cue": "c",
      "--tier": "semantic",
      "--session": "s",
      "--role": "user",
      "--project": "p",
      "--source": "src",
      "--at": "2026-03-01",
      "--metadata": '{"a": [1]}',
      "--priority": "low",
      "--key": "k",
      "--retry-ulid": ULID,
    };
    const repeated = ["--tag", "t1", "--tag", "t2", "--supersedes", ULID, "--supersedes", ULID];
    await run(["capture", "x", ...Object.entries(flags).flat(), ...repeated]);
    expect(app.captured).toEqual([
      {
        surface: "x",
        cue: "c",
        tier: "semantic",
        session_id: "s",
        role: "user",
        project: "p",
        source: "src",
        occurred_at: "2026-03-01",
        tags: ["t1", "t2"],
        metadata: { a: [1] },
        priority: "low",
        idempotency_key: "k",
        supersedes: [ULID, ULID],
        retry_ulid: ULID,
      },
    ]);
  });

  it.each([["[1]"], ["nonsense"], ["null"]])("C1: refuses metadata %s", async (metadata) => {
    expect((await run(["capture", "x", "--metadata", metadata])).exitCode).toBe(2);
    expect(app.captured).toEqual([]);
  });

  it("C1: without text on a terminal it says what to do", async () => {
    const { exitCode, stderr } = await run(["capture"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("send it to stdin");
  });

  it("C1: a failed capture is an error with its code, in JSON with all that is known", async () => {
    app.memory.capture = async () => {
      throw new MemspoolError("CAPTURE_FAILED", "The disk is full. Free space.", {
        details: { stored: "unknown", ulid: ULID },
      });
    };
    const plain = await run(["capture", "x"]);
    expect(plain).toMatchObject({ exitCode: 1, stdout: "" });
    expect(plain.stderr).toBe("error CAPTURE_FAILED: The disk is full. Free space.\n");
    const json = await run(["capture", "x", "--json"]);
    expect(json).toMatchObject({ exitCode: 1, stderr: "" });
    expect(json.json()).toEqual({
      error: {
        code: "CAPTURE_FAILED",
        message: "The disk is full. Free space.",
        retryable: true,
        details: { stored: "unknown", ulid: ULID },
      },
    });
    expect(app.closed).toBe(2);
  });
});

describe("get", () => {
  it("C1: prints exactly the text, all pages, lone surrogates as WTF-8", async () => {
    const surface = `${"\u{1f375}".repeat(40_000)}\ud800\r\n no newline at the end`;
    app.captured.push({ surface });
    const { stdoutBytes } = await run(["get", ULID]);
    expect(stdoutBytes.subarray(0, 160_000).toString("utf8")).toBe("\u{1f375}".repeat(40_000));
    const rest = stdoutBytes.subarray(160_000);
    expect(rest.subarray(0, 3)).toEqual(Buffer.from([0xed, 0xa0, 0x80]));
    expect(rest.subarray(3).toString("utf8")).toBe("\r\n no newline at the end");
  });

  it("C1: with --json the whole record is one document", async () => {
    app.captured.push({ surface: "x".repeat(70_000), tags: ["t"] });
    const { json } = await run(["get", ULID, "--json"]);
    expect(json()).toMatchObject({
      record: { ulid: ULID, surface: "x".repeat(70_000), tags: ["t"] },
      total_chars: 70_000,
    });
  });

  it("X1: on a terminal a text can not drive it", async () => {
    app.captured.push({ surface: "a\u001b[2Jb\tc\u202e\nd\u009b" });
    const { stdout } = await run(["get", ULID], { terminal: true });
    expect(stdout).toBe("a\u241b[2Jb\tc\ufffd\nd\ufffd\n");
  });

  it("C1: an unknown id is NOT_FOUND, exit code 1", async () => {
    expect(await run(["get", ULID])).toMatchObject({
      exitCode: 1,
      stderr: "error NOT_FOUND: No such record. Search.\n",
    });
  });
});
