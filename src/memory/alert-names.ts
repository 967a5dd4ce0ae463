/** The alerts that stand in the data directory, by file name. */
import { join } from "node:path";
import type { DurableFs } from "../platform/durable-fs.ts";
import { errnoOf } from "../platform/errno.ts";

/** More than there are kinds of alerts; whoever drops files there makes the list no longer. */
const ALERTS_MAX = 20;

const NAME = /^ALERT_[A-Z0-9_]{1,64}\.txt$/;

/** @returns sorted; none if the directory is not there or can not be read, which others report */
export async function alertNames(fs: DurableFs, dataDir: string): Promise<string[]> {
  try {
    const names = await fs.names(join(dataDir, "alerts"));
    return names
      .filter((name) => NAME.test(name))
      .sort()
      .slice(0, ALERTS_MAX);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return [];
  }
}
