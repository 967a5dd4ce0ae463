import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
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
          depth: 250,
          bytes: 3_000,
          oldest_age_ms: 65_000,
          age_histogram: [],
          quarantined: 2,
          spilled: 7,
          forgetting: 3,
          oldest_forgetting_age_ms: 1_000,
          max_records: 500,
          overflow: "drop-oldest",
        },
        ingester: {
          leader: { pid: 77, host: "h", since: "2026-03-01T09:30:00.000Z" },
          this_process_leads: false,
          last_batch: { at: "2026-03-01T09:30:00.000Z", count: 500, ms: 20 },
          lag_ms: 65_000,
          delayed: {
            code: "STORE_UNAVAILABLE",
            reason: "busy",
            since: "2026-03-01T09:30:00.000Z",
            until: "2026-03-01T09:31:00.000Z",
            failures: 2,
          },
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
      "250 pending (2.9 KiB) and 7 spilled, the oldest for 65.0 s",
      "at most 500 pending, then the oldest are dropped",
      "2 in quarantine",
      "3 orders to forget under way",
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
    const lowerCase = wanted.toLowerCase();
    expect((await run(["quarantine", "show", lowerCase, "--json"])).json()).toMatchObject({
      ulid: wanted,
      record: { surface: "the text\u001b[2J" },
    });
  });

  it("C1: retry sends one back, or all when that is asked for by name", async () => {
    app.quarantine = [entry(1), entry(2)];
    const one = await run(["quarantine", "retry", entry(1).ulid]);
    expect(one).toMatchObject({ exitCode: 0, stdout: "1 record sent back, to be tried again\n" });
    const all = await run(["quarantine", "retry", "--all", "--json"]);
    expect(all.exitCode).toBe(0);
    expect(all.json()).toMatchObject({ returned: 2, remaining: 0 });
    const inputs = app.asked.filter(({ name }) => name === "retry").map(({ input }) => input);
    expect(inputs).toMatchObject([{ ulid: entry(1).ulid }, { limit: 10_000 }]);
    for (const argv of [[], [entry(1).ulid, "--all"]]) {
      const refused = await run(["quarantine", "retry", ...argv]);
      expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
      expect(refused.stderr).toContain("--all");
    }
    expect((await run(["quarantine", "retry", "--help"])).stdout).toContain("Examples:");
  });

  it("C1: retry says which records stay, and is then exit code 1", async () => {
    const error = { code: "ENVELOPE_NOT_JSON", message: "cut \u001b[2J short" };
    app.memory.retry = async ({ onProgress }) => {
      onProgress?.({ done: 2, total: 5 });
      const outcomes = [
        { ulid: entry(1).ulid, state: "pending" as const },
        { ulid: entry(2).ulid, state: "quarantined" as const, error },
      ];
      return { returned: 1, outcomes, remaining: 3 };
    };
    const { exitCode, stdout, stderr } = await run(["quarantine", "retry", "--all"], {
      terminal: true,
    });
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`${entry(2).ulid} stays: ENVELOPE_NOT_JSON: cut \u241b[2J short`);
    expect(stdout).toContain("3 not looked at");
    expect(stderr).toContain("2/5");
    app.memory.retry = async () => ({ returned: 0, outcomes: [], remaining: 0 });
    const none = await run(["quarantine", "retry", "--all"]);
    expect(none).toMatchObject({ exitCode: 0, stdout: "Nothing is in quarantine.\n" });
  });

  it("C1: show of an id that is not there is NOT_FOUND", async () => {
    expect(await run(["quarantine", "show", ULID])).toMatchObject({ exitCode: 1 });
  });
});
