/**
 * Which checks there are, and what each needs. Store and queue come in as ports, so that a server asks
 * its own and the doctor's process asks what it could open.
 */
import type { DataPaths } from "../config/data-paths.ts";
import type { StatusReport } from "../memory/memory.ts";
import { checkAlerts, checkCrashes } from "./check-alerts.ts";
import { judgeBacklog } from "./check-backlog.ts";
import { type ConfigurationFacts, checkConfiguration } from "./check-configuration.ts";
import { checkFileSystem } from "./check-file-system.ts";
import { judgeForgetting } from "./check-forgetting.ts";
import { checkFreeSpace, type SpaceLimits } from "./check-free-space.ts";
import { judgeHooks } from "./check-hooks.ts";
import { judgeLease } from "./check-lease.ts";
import { checkModes } from "./check-modes.ts";
import { type FoundLimit, judgeMemory, judgePace } from "./check-pressure.ts";
import { judgeQuarantine } from "./check-quarantine.ts";
import { ok } from "./check-result.ts";
import { judgeSpool } from "./check-spool.ts";
import { judgeStore, type StoreAnswer } from "./check-store.ts";
import { checkWrite } from "./check-write.ts";
import type { NamedCheck } from "./run-checks.ts";

export type QueueStatus = Pick<
  StatusReport,
  "ingester" | "pressure" | "queue" | "spool" | "spool_bytes"
>;

export function configurationCheck(facts: ConfigurationFacts): NamedCheck {
  return { name: "configuration", run: () => checkConfiguration(facts) };
}

/** In a server: it would not run with a wrong one. */
export const acceptedConfiguration: NamedCheck = {
  name: "configuration",
  run: () => ok("configuration", "accepted when this process started"),
};

/**
 * What the data directory's own file system says; needs no part of memspool to work.
 * @param limits at which captures wait; the usual ones where the settings can not be had
 */
export function directoryChecks(paths: DataPaths, limits?: SpaceLimits): NamedCheck[] {
  return [
    {
      name: "directory modes",
      run: () => checkModes({ home: paths.home, uid: process.getuid?.() }),
      silence: "degraded",
    },
    { name: "write and fsync", run: () => checkWrite({ queueDir: paths.queueDir }) },
    { name: "file system", run: () => checkFileSystem(paths.home) },
    { name: "free space", run: () => checkFreeSpace(paths.home, limits) },
    { name: "alerts", run: () => checkAlerts(paths.alertsDir), silence: "degraded" },
    {
      name: "crashes",
      run: () => checkCrashes(paths.crashesDir, Date.now()),
      silence: "degraded",
    },
  ];
}

/** @param ask runs the store's own checks; see {@link StoreAnswer} for what it may say instead */
export function storeCheck(ask: () => Promise<StoreAnswer>): NamedCheck {
  return { name: "store", run: async () => judgeStore(await ask()), silence: "degraded" };
}

/** @param ask what hooks noted, which needs no other part: they may have failed before there was one */
export function hooksCheck(ask: () => StatusReport["hooks"]): NamedCheck {
  return { name: "hooks", run: () => judgeHooks(ask()), silence: "degraded" };
}

/**
 * What queue, ingester and pressure control say; the status is asked for once.
 * @param limit of the memory of a process like this one; undefined if nothing limits it
 */
export function queueChecks(
  ask: () => Promise<QueueStatus>,
  limit: () => Promise<FoundLimit | undefined>,
): NamedCheck[] {
  let asked: Promise<QueueStatus> | undefined;
  const status = () => {
    asked ??= ask();
    return asked;
  };
  return [
    { name: "ingester", run: async () => judgeLease(await status()) },
    { name: "backlog", run: async () => judgeBacklog(await status()) },
    { name: "quarantine", run: async () => judgeQuarantine(await status()) },
    { name: "forgetting", run: async () => judgeForgetting(await status()) },
    { name: "spool", run: async () => judgeSpool(await status()) },
    { name: "memory", run: async () => judgeMemory(await status(), await limit()) },
    { name: "pace", run: async () => judgePace(await status()) },
  ];
}
