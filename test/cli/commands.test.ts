import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import { type FakeApp, fakeStatus, makeFakeApp, ULID } from "../support/fake-app.ts";
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

describe("search and recent", () => {
  const summary = {
    ulid: ULID,
    at: "2026-03-01T09:30:00.000Z",
    tier: "episodic",
    session_id: "s\u001b[31m",
    snippet: "the\nfound   words",
    total_chars: 20,
    state: "ingested" as const,
  };

  it("C1: search joins its words and hands the filters on", async () => {
    const filters = ["--session", "s", "--tag", "a", "--tag", "b", "--since", "2026-01-01"];
    const { exitCode, stdout } = await run(["search", "two", "words", "--limit", "5", ...filters]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "Nothing found.\n" });
    expect(app.asked).toEqual([
      {
        name: "search",
        input: expect.objectContaining({
          query: "two words",
          limit: 5,
          session_id: "s",
          tags: ["a", "b"],
          since: "2026-01-01",
          project: undefined,
        }),
      },
    ]);
  });

  it("C1: --project sets the current project; * and --all-projects look everywhere", async () => {
    await run(["search", "x", "--project", "atlas"]);
    await run(["search", "x", "--project", "*"]);
    await run(["recent", "--all-projects"]);
    expect(app.configs.map((config) => config.project)).toEqual(["atlas", "", ""]);
    const projects = app.asked.map(({ input }) => (input as { project?: string }).project);
    expect(projects).toEqual([undefined, "*", "*"]);
  });

  it("C1: search shows hits in a table, one line each, without control characters", async () => {
    app.memory.search = async () => ({
      results: [{ ...summary, score: 1.234 }],
      next_cursor: "abc",
      unsearched: 4,
    });
    const { stdout, stderr } = await run(["search", "x"]);
    expect(stdout).toContain("the found words");
    expect(stdout).toContain("1.23");
    expect(stdout).not.toContain("\u001b");
    expect(stderr).toContain("--cursor abc");
    expect(stderr).toContain("4 pending records were not looked at");
  });

  it("C1: an answer without the store is shown, and is exit code 1", async () => {
    const store_error = { code: "STORE_UNAVAILABLE", message: "busy", retryable: true };
    app.memory.search = async () => ({ results: [], store_error });
    app.memory.recent = async () => ({ records: [], store_error });
    for (const argv of [["search", "x"], ["recent"]]) {
      const { exitCode, stderr } = await run(argv);
      expect(exitCode).toBe(1);
      expect(stderr).toContain("STORE_UNAVAILABLE");
      const json = await run([...argv, "--json"]);
      expect(json.exitCode).toBe(1);
      expect(json.json()).toMatchObject({ store_error });
    }
  });

  it("C1: recent lists records and names", async () => {
    app.memory.recent = async ({ list }) =>
      list === "tags"
        ? { names: [{ name: "infra", count: 7, last_at: summary.at }] }
        : { records: [{ ...summary, state: "pending" }] };
    const records = await run(["recent"]);
    expect(records.stdout).toContain("pending");
    expect(records.stdout).toContain("the found words");
    const { stdout } = await run(["recent", "--list", "tags"]);
    expect(stdout).toContain("infra");
    expect(stdout).toContain("7");
    expect((await run(["recent", "--list", "shoes"])).exitCode).toBe(2);
  });

  it("C1: refuses a limit out of range", async () => {
    for (const limit of ["0", "101", "x", "-1", "1.5"]) {
      expect((await run(["search", "x", `--limit=${limit}`])).exitCode).toBe(2);
    }
    expect(app.asked).toEqual([]);
  });
});

describe("status", () => {
  it("C1: exit code follows the state", async () => {
    const codes = [];
    for (const state of ["ok", "degraded", "failing"] as const) {
      app.memory.status = async () => fakeStatus({ state, reasons: state === "ok" ? [] : ["why"] });
      const { exitCode, stdout } = await run(["status"]);
      expect(stdout).toContain(state);
      codes.push(exitCode);
    }
    expect(codes).toEqual([0, 1, 2]);
  });

  it("C1: describes queue, ingester and store", async () => {
    app.memory.status = async () =>
      fakeStatus({
        project: "atlas",
        queue: {
          depth: 12,
          bytes: 3_000,
          oldest_age_ms: 65_000,
          age_histogram: [],
          quarantined: 2,
        },
        ingester: {
          leader: { pid: 77, host: "h", since: "2026-03-01T09:30:00.000Z" },
          this_process_leads: false,
          last_batch: { at: "2026-03-01T09:30:00.000Z", count: 500, ms: 20 },
          lag_ms: 65_000,
          delayed: { code: "STORE_UNAVAILABLE", until: "2026-03-01T09:31:00.000Z", failures: 2 },
        },
        store: {
          kind: "sqlite",
          state: "unavailable",
          records: null,
          bytes: null,
          error: { code: "STORE_UNAVAILABLE", message: "busy" },
        },
      });
    const { stdout } = await run(["status"]);
    for (const text of [
      "atlas",
      "12 pending (2.9 KiB)",
      "65.0 s",
      "2 in quarantine",
      "process 77",
    ]) {
      expect(stdout).toContain(text);
    }
    expect(stdout).toContain("sqlite unavailable");
    expect(stdout).toContain("last batch 500");
  });

  it("C1: --json is the object of memspool://status", async () => {
    expect((await run(["status", "--json"])).json()).toEqual(fakeStatus());
  });

  it("C1: --watch goes on until interrupted", async () => {
    const controller = new AbortController();
    let asked = 0;
    app.memory.status = async () => {
      asked++;
      controller.abort();
      return fakeStatus();
    };
    const { exitCode } = await run(["status", "--watch"], { signal: controller.signal });
    expect({ asked, exitCode }).toEqual({ asked: 1, exitCode: 0 });
    expect(app.closed).toBe(1);
  });
});

describe("drain", () => {
  it("C1: shows what was done; something left or set aside is exit code 1", async () => {
    app.drain = async () => ({ drained: 5, quarantined: 0, remaining: 0, ms: 12 });
    expect(await run(["drain"])).toMatchObject({ exitCode: 0, stdout: "5 drained in 12 ms\n" });
    app.drain = async () => ({ drained: 5, quarantined: 1, remaining: 0, ms: 12 });
    expect((await run(["drain"])).exitCode).toBe(1);
    app.drain = async () => ({ drained: 0, quarantined: 0, remaining: 2, ms: 1, reason: "busy" });
    const { exitCode, stdout } = await run(["drain"]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain("2 still pending, safe in the queue: busy");
    expect((await run(["drain", "--json"])).json()).toMatchObject({ remaining: 2, reason: "busy" });
  });

  it("C1: draws a bar on stderr only if that is a terminal, and hands the interruption on", async () => {
    const controller = new AbortController();
    let aborted: boolean | undefined;
    app.drain = async ({ onProgress, signal }) => {
      onProgress?.({ drained: 0, total: 5 });
      onProgress?.({ drained: 5, total: 5 });
      controller.abort();
      aborted = signal?.aborted;
      return { drained: 5, quarantined: 0, remaining: 0, ms: 1 };
    };
    expect((await run(["drain"])).stderr).toBe("");
    const onTerminal = await run(["drain"], { terminal: true, signal: controller.signal });
    expect(onTerminal.stderr).toContain("5/5");
    expect(onTerminal.stdout).not.toContain("5/5");
    expect(aborted).toBe(true);
  });
});

describe("quarantine", () => {
  const entry = (n: number) => ({
    ulid: `01JQ7Z8X9YABCDEFGHJKMN${String(n).padStart(4, "0")}`,
    file: `pending-${n}.json`,
    bytes: 100,
    code: "ENVELOPE_CHECKSUM_MISMATCH",
    message: "changed on disk",
    attempts: 3,
    quarantined_at: "2026-03-01T09:30:00.000Z",
  });

  it("C1: list is what quarantine does by itself", async () => {
    expect((await run(["quarantine"])).stdout).toBe("Nothing is in quarantine.\n");
    app.quarantine = [entry(1), entry(2)];
    const { stdout } = await run(["quarantine", "list"]);
    expect(stdout).toContain(entry(1).ulid);
    expect(stdout).toContain("ENVELOPE_CHECKSUM_MISMATCH");
    const page = await run(["quarantine", "list", "--limit", "1", "--json"]);
    expect(page.json()).toMatchObject({ total: 2, next_cursor: "1" });
    const next = await run(["quarantine", "list", "--limit", "1", "--cursor", "1"]);
    expect(next.stdout).toContain(entry(2).ulid);
  });

  it("C1: show finds an entry on any page, with its text if that can be read", async () => {
    app.quarantine = Array.from({ length: 150 }, (_, n) => entry(n));
    const wanted = entry(149).ulid;
    const unreadable = await run(["quarantine", "show", wanted]);
    expect(unreadable.stdout).toContain("can not be read");
    app.captured.push({ surface: "the text\u001b[2J" });
    const { stdout } = await run(["quarantine", "show", wanted]);
    expect(stdout).toContain("pending-149.json");
    expect(stdout).toContain("the text\u241b[2J");
    expect((await run(["quarantine", "show", wanted, "--json"])).json()).toMatchObject({
      ulid: wanted,
      record: { surface: "the text\u001b[2J" },
    });
  });

  it("C1: show of an id that is not there is NOT_FOUND", async () => {
    expect(await run(["quarantine", "show", ULID])).toMatchObject({ exitCode: 1 });
  });
});

it("Q13: no command makes a data directory by itself", async () => {
  for (const argv of [["search", "x"], ["status"], ["doctor"], ["quarantine"]]) {
    await run(argv, { home: join(home, "absent") });
  }
  expect(readdirSync(home)).toEqual([]);
});
