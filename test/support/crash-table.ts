/**
 * What the crash rigs tried and found, row by row: docs/DURABILITY.md shows the table that
 * `npm run test:crash` makes of it. Without MEMSPOOL_CRASH_TABLE nothing is written.
 */
import { appendFileSync } from "node:fs";

/** The long forms run under `npm run test:crash`; `npm test` runs the short ones. */
export const LONG_FORM = process.env.MEMSPOOL_CRASH_FORM === "long";

/** @returns the first number in the short form, the second in the long one */
export function rounds(short: number, long: number): number {
  return LONG_FORM ? long : short;
}

export interface CrashRow {
  /** The rig, such as "die at every step". */
  readonly rig: string;
  readonly operation: string;
  readonly fault: string;
  /** States, kills or files that were tried. */
  readonly tried: number;
  /** Acknowledged records that were nowhere afterwards. */
  readonly lost: number;
  /** Records that came back with other bytes. */
  readonly altered: number;
  /** Records that were in the store more than once. */
  readonly twice: number;
  /** For a negative control: whether the rig caught the broken variant. */
  readonly caught?: boolean;
}

export function addCrashRow(row: CrashRow): void {
  const path = process.env.MEMSPOOL_CRASH_TABLE;
  if (path) appendFileSync(path, `${JSON.stringify(row)}\n`);
}
