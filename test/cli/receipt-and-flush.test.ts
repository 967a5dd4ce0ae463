import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ReceiptResult } from "../../src/memory/memory.ts";
import { type FakeApp, makeFakeApp, ULID } from "../support/fake-app.ts";
import { run as runAt } from "../support/run-program.ts";

let home: string;
let app: FakeApp;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "memspool-cli-"));
  app = makeFakeApp();
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const run = (argv: readonly string[]) => runAt(argv, { home, app });

describe("receipt", () => {
  const states: [ReceiptResult["state"], number][] = [
    ["pending", 0],
    ["spilled", 0],
    ["ingested", 0],
    ["duplicate", 0],
    ["quarantined", 1],
    ["dropped", 1],
    ["purging", 1],
    ["forgotten", 1],
    ["unknown", 1],
  ];

  it.for(states)("C1: says %s with exit code %i", async ([state, exitCode]) => {
    app.memory.receipt = async (ulid) => ({ ulid, state });
    const said = await run(["receipt", ULID]);
    expect(said).toMatchObject({ exitCode, stderr: "" });
    expect(said.stdout).toMatch(new RegExp(`^state +${state}\n$`));
    const json = await run(["receipt", ULID, "--json"]);
    expect([json.exitCode, JSON.parse(json.stdout)]).toEqual([exitCode, { ulid: ULID, state }]);
  });

  it("C1: tells why a record is in quarantine, and that the store could not be asked", async () => {
    app.memory.receipt = async (ulid) => ({
      ulid,
      state: "quarantined",
      appended_at: "2026-03-01T09:30:00.000Z",
      reason: { code: "ULID_CONFLICT", message: "the id\nis taken" },
      store_error: { code: "STORE_UNAVAILABLE", message: "away", retryable: true },
    });
    const { stdout } = await run(["receipt", ULID]);
    expect(stdout).toContain("2026-03-01T09:30:00.000Z");
    expect(stdout).toContain("ULID_CONFLICT: the id is taken");
    expect(stdout).toContain("STORE_UNAVAILABLE");
  });
});

describe("flush", () => {
  it("C1: waits as long as it is told, and says what went and what stays", async () => {
    const timeouts: (number | undefined)[] = [];
    app.memory.flush = async ({ timeout_ms, onProgress }) => {
      timeouts.push(timeout_ms);
      onProgress?.({ drained: 1, total: 3 });
      return { drained: 1, remaining: 2, ms: 1_500 };
    };
    const { exitCode, stdout } = await run(["flush", "--timeout", "5"]);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^1 drained in .*\n2 still in the queue/);
    app.memory.flush = async () => ({ drained: 3, remaining: 0, ms: 20 });
    const all = await run(["flush", "--json"]);
    expect([all.exitCode, JSON.parse(all.stdout)]).toEqual([
      0,
      { drained: 3, remaining: 0, ms: 20 },
    ]);
    expect(timeouts).toEqual([5_000]);
    expect((await run(["flush", "--timeout", "soon"])).exitCode).toBe(2);
  });
});
