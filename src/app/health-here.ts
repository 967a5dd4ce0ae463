/** The health report of this process, and what it asks of the parts. Loads the checks when asked. */
import type { DataPaths } from "../config/data-paths.ts";
import type { Config } from "../config/settings.ts";
import type { HealthReport, Memory, StatusReport } from "../memory/memory.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import type { MemoryLimit } from "../pressure/memory-limit.ts";
import type { QueueLayout } from "../queue/layout.ts";
import type { StoreReader } from "../store/memory-store.ts";
import { storeAnswer } from "./store-answer.ts";

export interface HealthHereParts {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly layout: QueueLayout;
  readonly store: StoreReader;
  readonly memory: Pick<Memory, "receipt" | "status">;
  readonly memoryLimit: () => Promise<MemoryLimit | undefined>;
  readonly hooks: () => StatusReport["hooks"];
}

export async function healthHere(parts: HealthHereParts): Promise<HealthReport> {
  const { config, paths, layout, store, memory, memoryLimit, hooks } = parts;
  const { acceptedConfiguration, directoryChecks, hooksCheck, queueChecks, storeCheck } =
    await import("../health/health-checks.ts");
  const { runChecks } = await import("../health/run-checks.ts");
  const lookForSome = async () => {
    const { spotCheck } = await import("../memory/spot-check.ts");
    return spotCheck({ fs: nodeDurableFs, layout, receipt: (ulid) => memory.receipt(ulid) });
  };
  return runChecks([
    acceptedConfiguration,
    ...directoryChecks(paths, config),
    storeCheck(() => storeAnswer(store, paths, lookForSome)),
    ...queueChecks(() => memory.status(), memoryLimit),
    hooksCheck(hooks),
  ]);
}
