import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import * as app from "../../src/app.ts";
import { MemspoolError } from "../../src/errors.ts";
import { FINDINGS } from "../../src/memory/verify/findings.ts";
import type { VerifyReport } from "../../src/memory/verify/report.ts";
import { makeFakeApp } from "../support/fake-app.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { type RunOptions, run } from "../support/run-program.ts";

const SOUND: VerifyReport = {
  ok: true,
  captured: 12,
  stored: 7,
  duplicates: 1,
  pending: 2,
  spilled: 0,
  quarantined: 1,
  forgotten: 0,
  dropped: 1,
  missing: 0,
  unledgered: 0,
  problems: [],
  notes: [],
  checked: {
    envelopes: 3,
    rows: 8,
    archive_records: 7,
    index_rows: 7,
    ledger_lines: 12,
    audit_lines: 1,
    torn_ledger_lines: 0,
  },
  quick: false,
  ms: 1_500,
};

const DAMAGED: VerifyReport = {
  ...SOUND,
  ok: false,
  stored: 6,
  missing: 1,
  problems: [
    { kind: "missing", count: 1, examples: ["01JQ7Z8X9YABCDEFGHJKMNPQRS"], advice: "Look." },
    { kind: "archive_damaged", count: 40, examples: ["a", "b"], advice: "Back up." },
  ],
  notes: [{ kind: "ledger_torn", count: 2, examples: [".ledger-20260301-09"], advice: "None." }],
};

/** Runs `verify` on a stand-in that answers so. */
function verify(answer: VerifyReport | Error, argv: string[] = [], options = {}) {
  const app = makeFakeApp();
  app.verify = async () => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const given: RunOptions = { home: freshDirectory(), app, ...options };
  return run(["verify", ...argv], given);
}

it("V1: shows the sum as a table and ends with 0 when all is well", async () => {
  const { exitCode, stdout } = await verify(SOUND);
  expect(exitCode).toBe(0);
  for (const text of ["stored", "7", "captured", "12", "8 rows", "nothing is missing"]) {
    expect(stdout).toContain(text);
  }
});

it("V1: ends with 1 when something is missing or damaged, a line for each with what to do", async () => {
  const { exitCode, stdout } = await verify(DAMAGED);
  expect(exitCode).toBe(1);
  const lines = stdout.split("\n").filter((line) => /^(?:problem|note)/.test(line));
  expect(lines).toEqual([
    `note 2 ${FINDINGS.ledger_torn.what} (.ledger-20260301-09, …). None.`,
    `problem 1 ${FINDINGS.missing.what} (01JQ7Z8X9YABCDEFGHJKMNPQRS). Look.`,
    `problem 40 ${FINDINGS.archive_damaged.what} (a, b, …). Back up.`,
  ]);
  expect(stdout).toContain("something is missing or damaged");
});

it("V1: gives the report as one JSON document, with the same exit code", async () => {
  const { exitCode, json } = await verify(DAMAGED, ["--json"]);
  expect(exitCode).toBe(1);
  expect(json()).toEqual(DAMAGED);
});

it("V1: ends with 2 when it could not be done, and says why", async () => {
  const away = new MemspoolError("STORE_UNAVAILABLE", "The store is away. Try again.");
  expect(await verify(away)).toMatchObject({
    exitCode: 2,
    stdout: "",
    stderr: "error STORE_UNAVAILABLE: The store is away. Try again.\n",
  });
  const { exitCode, json } = await verify(away, ["--json"]);
  expect(exitCode).toBe(2);
  expect(json()).toMatchObject({ error: { code: "STORE_UNAVAILABLE" } });
});

it("V1: an interruption ends it with 2", async () => {
  const stop = new AbortController();
  const app = makeFakeApp();
  app.verify = async ({ signal }) => {
    stop.abort();
    signal?.throwIfAborted();
    return SOUND;
  };
  const { exitCode, stderr } = await run(["verify"], {
    home: freshDirectory(),
    app,
    signal: stop.signal,
  });
  expect(exitCode).toBe(2);
  expect(stderr).toContain("SHUTTING_DOWN");
  expect(app.closed).toBe(1);
});

it("V1: shows a progress bar a step on a terminal, and none elsewhere", async () => {
  const app = makeFakeApp();
  app.verify = async ({ onProgress, quick }) => {
    for (const step of ["ledger", "store"] as const) {
      for (const done of [1, 2, 3]) onProgress?.({ step, done, total: 3 });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return { ...SOUND, quick: quick === true };
  };
  const home = freshDirectory();
  const onTerminal = await run(["verify", "--quick"], { home, app, terminal: true });
  expect(onTerminal.stderr).toMatch(/verifying: ledger.*3\/3[\s\S]*verifying: store.*3\/3/);
  expect(onTerminal.stdout).toContain("without their content");
  const elsewhere = await run(["verify"], { home, app });
  expect(elsewhere.stderr).toBe("");
});

it("V1: recounts a real data directory, and notices what was removed", async () => {
  const home = freshDirectory();
  for (const text of ["one", "two", "three"]) await run(["capture", text], { home, app });
  expect((await run(["drain"], { home, app })).exitCode).toBe(0);
  const receipt = (await run(["capture", "four", "--json"], { home, app })).json();
  const sound = await run(["verify", "--json"], { home, app });
  expect(sound.json()).toMatchObject({ ok: true, captured: 4, stored: 3, pending: 1 });
  expect(sound.exitCode).toBe(0);
  const { ulid } = receipt as { ulid: string };
  unlinkSync(join(home, "queue", `pending-${ulid}.json`));
  const after = await run(["verify", "--json"], { home, app });
  expect(after.json()).toMatchObject({
    ok: false,
    captured: 4,
    stored: 3,
    missing: 1,
    problems: [{ kind: "missing", count: 1, examples: [ulid] }],
  });
  expect(after.exitCode).toBe(1);
});

it("V1: looking at a directory that was never made makes none", async () => {
  const home = join(freshDirectory(), "none");
  const { exitCode, json } = await run(["verify", "--json"], { home, app });
  expect(exitCode).toBe(0);
  expect(json()).toMatchObject({ ok: true, captured: 0 });
});
