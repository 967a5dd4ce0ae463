import { describe, expect, it } from "vitest";
import { addCrashRow, rounds } from "../support/crash-table.ts";
import {
  archiveNotSynced,
  auditNotSynced,
  directorySyncLeftOut,
  fileSyncLeftOut,
  ledgerNotSynced,
  publishedBeforeSync,
  quarantinedWithoutSync,
  type Sabotage,
  segmentNotSynced,
  unlinkedBeforeCommit,
} from "./broken-variants.ts";
import { scratchDirectory } from "./crash-world.ts";
import { OPERATIONS, operationNamed } from "./operations.ts";
import type { Violation } from "./oracle.ts";
import { seededRandom } from "./power-model.ts";
import { cutPower, type PowerBounds, type PowerTally } from "./power-run.ts";
import { memoryRoot } from "./unsynced-fs.ts";

const BOUNDS: PowerBounds = {
  statesMax: rounds(500, 8_000),
  drawsMax: rounds(24, 400),
  secondCutEvery: 4,
};
const TIMEOUT_MS = rounds(60_000, 600_000);

/** Printed with every failure; MEMSPOOL_CRASH_SEED repeats it. */
const SEED = Number(process.env.MEMSPOOL_CRASH_SEED ?? Date.now() % 1_000_000_007);

function cut(
  name: string,
  sabotage?: Sabotage,
  wanted?: readonly Violation["kind"][],
): Promise<PowerTally> {
  const scratch = scratchDirectory(memoryRoot());
  const bounds = wanted ? { ...BOUNDS, wanted } : BOUNDS;
  return cutPower(scratch, operationNamed(name), seededRandom(SEED), bounds, sabotage);
}

function row(operation: string, fault: string, { states, violations }: PowerTally) {
  const count = (kind: Violation["kind"]) =>
    violations.filter((violation) => violation.kind === kind).length;
  return {
    rig: "power cut",
    operation,
    fault,
    tried: states,
    lost: count("lost") + count("ledger"),
    altered: count("altered") + count("torn"),
    twice: count("twice"),
  };
}

describe("the power fails at every moment", () => {
  it.each(OPERATIONS.map(({ name }) => name))(
    "Q1: %s: what was acknowledged is there in every state that a disk may be left in",
    async (name) => {
      const tally = await cut(name);
      addCrashRow(row(name, "unsynced data and names missing, old, torn, in any order", tally));
      const found = tally.violations.map(({ tick, kind, what }) => `at ${tick}: ${kind}, ${what}`);
      expect(found.slice(0, 10), `MEMSPOOL_CRASH_SEED=${SEED}`).toEqual([]);
      expect(tally.states).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

describe("the power-cut rig catches", () => {
  it.each<[string, string, Sabotage, Violation["kind"][]]>([
    ["a file's fsync left out", "capture", fileSyncLeftOut, ["torn", "lost"]],
    ["a directory's fsync left out", "captures side by side", directorySyncLeftOut, ["lost"]],
    ["a name given before the bytes are synced", "capture", publishedBeforeSync, ["torn"]],
    ["an unlink before the commit", "ingest by batch", unlinkedBeforeCommit, ["lost"]],
    [
      "an unlink before quarantine is synced",
      "quarantine by batch",
      quarantinedWithoutSync,
      ["lost"],
    ],
    ["an archive that is not synced", "ingest by batch", archiveNotSynced, ["not archived"]],
    ["an unlink before the segment is synced", "spill", segmentNotSynced, ["torn", "lost"]],
    ["an overflow directory that is not synced", "spill", directorySyncLeftOut, ["lost"]],
    ["a drop before its audit line is synced", "drop", auditNotSynced, ["lost"]],
    ["an order whose name is not synced", "order to forget", directorySyncLeftOut, ["came back"]],
    ["an order whose bytes are not synced", "order to forget", fileSyncLeftOut, ["came back"]],
    ["a purge whose directories are not synced", "forget", directorySyncLeftOut, ["came back"]],
    ["a purge whose new files are not synced", "forget", fileSyncLeftOut, ["not archived"]],
    ["a ledger that is not synced", "capture, then ingest", ledgerNotSynced, ["ledger"]],
  ])(
    "Q1: %s",
    async (variant, name, sabotage, kinds) => {
      const tally = await cut(name, sabotage, kinds);
      const seen = new Set(tally.violations.map(({ kind }) => kind));
      const caught = kinds.every((kind) => seen.has(kind));
      addCrashRow({ ...row(name, variant, tally), caught });
      expect([...seen], `MEMSPOOL_CRASH_SEED=${SEED}`).toEqual(expect.arrayContaining(kinds));
    },
    TIMEOUT_MS,
  );
});
