/** Alerts that stand in the data directory, and crashes of the last day. Reads names only. */
import { readdir } from "node:fs/promises";
import type { HealthCheck } from "../memory/memory.ts";
import { degraded, ok } from "./check-result.ts";

/** What each alert says to do; the file itself says more. */
const ADVICE: Readonly<Record<string, string>> = {
  "ALERT_BACKPRESSURE_HARD.txt":
    "Captures have been held up for minutes: free space, or raise spool.quotaMb.",
  "ALERT_LOG_ROTATION_FAILED.txt":
    "A log grows: see free space, owner and mode of the directory that the file names.",
};
const ALERT = /^ALERT_[A-Z0-9_]{1,64}\.txt$/;
const CRASH_AGE_MS_MAX = 24 * 3_600_000;
/** `crash-20260301T093000123Z-77.json`. */
const CRASH = /^crash-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-\d{1,10}\.json$/;

export async function checkAlerts(alertsDir: string): Promise<HealthCheck> {
  const names = await namesIn(alertsDir);
  return judgeAlerts(names.filter((name) => ALERT.test(name)).sort());
}

export async function checkCrashes(crashesDir: string, nowMs: number): Promise<HealthCheck> {
  return judgeCrashes(await namesIn(crashesDir), nowMs);
}

/** @param names of files in alerts/ */
export function judgeAlerts(names: readonly string[]): HealthCheck {
  const name = "alerts";
  if (names.length === 0) return ok(name, "none");
  const advice = names.map((each) => ADVICE[each] ?? `Read alerts/${each} in the data directory.`);
  return degraded(name, names.join(", "), advice.join(" "));
}

/** @param names of files in crashes/ */
export function judgeCrashes(names: readonly string[], nowMs: number): HealthCheck {
  const name = "crashes";
  const recent = names
    .filter((each) => nowMs - crashedAtMs(each) <= CRASH_AGE_MS_MAX)
    .sort()
    .reverse();
  const [last] = recent;
  if (last === undefined) return ok(name, "none in the last day");
  const times = recent.length === 1 ? "a crash" : `${recent.length} crashes`;
  return degraded(
    name,
    `${times} in the last day, the last one in crashes/${last}`,
    "Nothing acknowledged is lost. Report it with that file, which holds no text of any record.",
  );
}

/** NaN for every other name, which no age is under. */
function crashedAtMs(name: string): number {
  const [, year, month, day, hour, minute, second, ms] = CRASH.exec(name) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    // ENOENT: made when there is something.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
