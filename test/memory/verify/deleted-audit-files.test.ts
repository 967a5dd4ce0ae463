import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { auditUlid, openAudit, victim } from "../../support/overflow-audit-bench.ts";
import { notesOf, problemsOf, sumOf, VerifyBench } from "../../support/verify-bench.ts";

const DROPPED = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** Ten captures that were dropped; so small an audit log that it has deleted its first files. */
async function forgetful(...furtherIds: string[]): Promise<VerifyBench> {
  const bench = new VerifyBench();
  await bench.capture("kept");
  const audit = openAudit(bench.layout);
  for (const n of DROPPED) audit.record("dropped", [victim(n)], 100);
  const ids = [...DROPPED.map(auditUlid), ...furtherIds];
  writeFileSync(join(bench.layout.dir, ".ledger-20260301-09"), ids.map((id) => `${id}\n`).join(""));
  return bench;
}

function checkpoints(bench: VerifyBench): string[] {
  return readdirSync(bench.layout.dir).filter((name) => name.includes("checkpoint"));
}

it("V1: what deleted audit files said of dropped records counts by its number", async () => {
  const bench = await forgetful();
  const report = await bench.verify();
  expect(report.checked.audit_lines).toBeLessThan(DROPPED.length);
  expect(report.problems).toEqual([]);
  expect(sumOf(report)).toMatchObject({ captured: 11, pending: 1, dropped: 10, missing: 0 });
});

it("V1: the number explains no more ids than it counts", async () => {
  const bench = await forgetful(auditUlid(99), auditUlid(98));
  const report = await bench.verify();
  expect(problemsOf(report)).toEqual({ missing: 2 });
  expect(sumOf(report)).toMatchObject({ captured: 13, dropped: 10, missing: 2 });
});

it("V1: damaged checkpoints are told, and explain nothing", async () => {
  const bench = await forgetful();
  const { audit_lines: lines } = (await bench.verify()).checked;
  const names = checkpoints(bench);
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) writeFileSync(join(bench.layout.dir, name), "{}");
  const report = await bench.verify();
  expect(problemsOf(report)).toMatchObject({ missing: DROPPED.length - lines });
  expect(problemsOf(report).checkpoint_damaged).toBeGreaterThan(0);
  expect(report.problems.some(({ kind }) => kind === "audit_damaged")).toBe(false);
  expect(notesOf(report)).toEqual({});
});
