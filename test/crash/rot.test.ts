/**
 * Rig "rot": a file that holds what was acknowledged, or says why something is missing, with a bit
 * flipped, its end cut off or a stretch zeroed at every byte position, read by the code that reads
 * it. It is noticed, and nothing that was never written is taken for a record.
 */
import { describe, expect, it } from "vitest";
import { addCrashRow, rounds } from "../support/crash-table.ts";
import { ROT_CONTROLS } from "./rot-controls.ts";
import { type RotFindings, type RotSubject, rotOf } from "./rot-damage.ts";
import { type IngestedRot, rotOfPending, rotOfSegments } from "./rot-ingest.ts";
import {
  auditCheckpoint,
  auditLog,
  doneFile,
  pendingEnvelope,
  reasonFile,
  spillSegment,
} from "./rot-subjects.ts";

const FLIPS = rounds(1, 3);
const FILLER_CHARS = rounds(0, 500);
const TIME_MAX_MS = rounds(120_000, 1_800_000);

function harm({ lost, altered, twice, crashed }: RotFindings) {
  return { lost, altered, twice, crashed };
}
const NO_HARM = { lost: [], altered: [], twice: [], crashed: [] };

function faultOf(stride: number): string {
  const flips = FLIPS === 1 ? "a flip" : `${FLIPS} flips`;
  return `${flips}, a cut, zeros at ${stride === 1 ? "every byte" : `one byte in ${stride}`}`;
}

function addRow(operation: string, fault: string, findings: RotFindings, caught?: boolean): void {
  addCrashRow({
    rig: "rot",
    operation,
    fault,
    tried: findings.tried,
    lost: findings.lost.length,
    altered: findings.altered.length,
    twice: findings.twice.length,
    ...(caught === undefined ? {} : { caught }),
  });
}

async function isNoticed(subject: RotSubject, stride = 1): Promise<void> {
  // The reader works: undamaged, it gives all of it and notices nothing.
  const whole = { accepted: subject.content, noticed: false };
  expect(await subject.read(subject.original)).toEqual(whole);
  const findings = await rotOf(subject, FLIPS, stride);
  expect(harm(findings)).toEqual(NO_HARM);
  expect(findings.tried).toBeGreaterThan((subject.original.length / stride) * 2);
  addRow(`read ${subject.name}`, faultOf(stride), findings);
}

describe("reading what has rotted", { timeout: TIME_MAX_MS }, () => {
  it("Q2: damage of an envelope is noticed, wherever it is", () =>
    isNoticed(pendingEnvelope(FILLER_CHARS)));

  it("I6: damage of a done file is noticed, wherever it is", () =>
    isNoticed(doneFile(rounds(1, 2), FILLER_CHARS)));

  it("Q11: damage of a spill segment is noticed, wherever it is", () =>
    isNoticed(spillSegment(rounds(3, 18), FILLER_CHARS)));

  it("Q11: damage of the audit log is noticed, wherever it is", () =>
    isNoticed(auditLog(rounds(1, 5))));

  it("L2: damage of the audit checkpoint is noticed, and its copy stands in for it", () =>
    isNoticed(auditCheckpoint(false), rounds(3, 1)));

  it("L2: damage of both makes the totals a lower bound, and never other totals", () =>
    isNoticed(auditCheckpoint(true), rounds(3, 1)));

  it("Q9: damage of a reason file is noticed, wherever it is", () => isNoticed(reasonFile()));
});

describe("ingesting what has rotted", { timeout: TIME_MAX_MS }, () => {
  function isHarmless(operation: string, fault: string, findings: IngestedRot): void {
    expect(harm(findings)).toEqual(NO_HARM);
    expect(findings.whole).toBeGreaterThan(10);
    expect(findings.tried).toBeGreaterThan(100);
    addRow(operation, fault, findings);
  }

  it("I5: damaged envelopes end in quarantine as they were found, the whole ones arrive", async () => {
    const stride = rounds(3, 1);
    isHarmless("ingest envelope", faultOf(stride), await rotOfPending(FLIPS, stride));
  });

  it("Q11: what is whole of damaged segments arrives, the rest is kept as it was found", async () => {
    const stride = rounds(11, 1);
    isHarmless("ingest spill segment", faultOf(stride), await rotOfSegments(FLIPS, stride));
  });
});

describe("readers that the rig must catch", { timeout: TIME_MAX_MS }, () => {
  it.each(ROT_CONTROLS)("control: $name", async ({ name, caughtAt, subject: make }) => {
    const subject = make();
    expect((await subject.read(subject.original)).accepted).toEqual(subject.content);
    const findings = await rotOf(subject, FLIPS);
    const caught = findings[caughtAt].length > 0;
    addRow(`negative control: ${name}`, faultOf(1), findings, caught);
    expect(caught).toBe(true);
  });
});
