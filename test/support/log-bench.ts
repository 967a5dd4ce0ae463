/** Rotated logs for tests: small limits, time that a test moves, and all lines of all files. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import {
  RotatingFile,
  type RotatingFileOptions,
  type RotationNotice,
} from "../../src/platform/rotating-file.ts";
import type { RotationLimits } from "../../src/platform/rotation-policy.ts";
import { ManualTime } from "./manual-time.ts";

/** Two lines of {@link line} a file, and more backups than any test makes. */
export const LIMITS: RotationLimits = Object.freeze({
  fileBytesMax: 20,
  backupsMax: 100,
  totalBytesMax: 100_000,
});

/** Ten bytes with its line feed. */
export function line(writer: string, n: number): string {
  return `${writer}-${String(n).padStart(7, "0")}`;
}

export interface LogBench {
  readonly log: RotatingFile;
  readonly time: ManualTime;
  readonly notices: RotationNotice[];
  readonly alertPath: string;
}

type Changes = Partial<RotatingFileOptions> & { readonly path: string; readonly aheadMs?: number };

/** @param changes.aheadMs how far this writer's wall clock is ahead of the files' times */
export function openLogBench({ aheadMs = 0, ...changes }: Changes): LogBench {
  const time = new ManualTime();
  const startMs = Date.now() + aheadMs;
  const notices: RotationNotice[] = [];
  const alertPath = changes.alertPath ?? join(dirname(changes.path), "alerts", "ALERT.txt");
  const log = new RotatingFile({
    limits: LIMITS,
    durability: "none",
    alertPath,
    onNotice: (notice) => notices.push(notice),
    clock: { ...time.clock, nowMs: () => startMs + time.clock.nowMs() },
    schedule: time.schedule,
    ...changes,
  });
  onTestFinished(() => log.close());
  return { log, time, notices, alertPath };
}

/** Names of all files that hold lines of the log, sorted. */
export function logNames(path: string): string[] {
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(basename(path)) && !name.includes(".lock"))
    .sort();
}

/** The lines of one file, without empty ones, as readers read it. */
export function linesOf(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((text) => text !== "");
}

/** The lines of all files, sorted: a line that is there twice is twice in it. */
export function allLines(path: string): string[] {
  return logNames(path)
    .flatMap((name) => linesOf(join(dirname(path), name)))
    .sort();
}
