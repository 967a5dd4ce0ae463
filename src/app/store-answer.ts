/** What the store says of itself, for the health report. */
import { existsSync } from "node:fs";
import type { DataPaths } from "../config/data-paths.ts";
import { reportError } from "../errors.ts";
import type { SpotCheck } from "../memory/spot-check.ts";
import type { StoreReader } from "../store/memory-store.ts";

/** @param lookForSome whether acknowledged records are there */
export async function storeAnswer(
  store: StoreReader,
  paths: DataPaths,
  lookForSome: () => Promise<SpotCheck>,
) {
  try {
    if (!existsSync(paths.storeFile)) return { absent: true, sample: await lookForSome() } as const;
    return { checks: await store.check(), sample: await lookForSome() };
  } catch (error) {
    return { error: reportError(error) };
  }
}
