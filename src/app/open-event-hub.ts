/** Where events go: to the log that the settings name, and to whoever subscribes later. */
import type { DataPaths } from "../config/data-paths.ts";
import type { Config } from "../config/settings.ts";
import { MemspoolError } from "../errors.ts";
import { EventHub } from "../events/event-hub.ts";
import { errnoOf } from "../platform/errno.ts";

/**
 * @param options.logToStderr whether the log may go to standard error; a file is always written
 * @throws MemspoolError CONFIG_INVALID or UNSAFE_PATH if the log file can not be used
 */
export async function openEventHub(
  config: Config,
  paths: DataPaths,
  options: { readonly logToStderr?: boolean },
): Promise<EventHub> {
  const hub = new EventHub();
  const level = config["log.level"];
  const path = config["log.file"];
  if (level === "silent" || (path === "" && !options.logToStderr)) return hub;
  const { createLogSink } = await import("../events/log-sink.ts");
  if (path === "") {
    hub.subscribe(createLogSink({ level }));
    return hub;
  }
  const file = {
    path,
    fileBytesMax: config["log.maxBytes"],
    backupsMax: config["log.backups"],
    alertsDir: paths.alertsDir,
    events: hub,
  };
  try {
    hub.subscribe(createLogSink({ level, file }));
  } catch (error) {
    throw error instanceof MemspoolError ? error : logFileUnusable(path, error);
  }
  return hub;
}

function logFileUnusable(path: string, cause: unknown): MemspoolError {
  const errno = errnoOf(cause) ?? "unknown";
  return new MemspoolError(
    "CONFIG_INVALID",
    `log.file is ${path}, which can not be opened (${errno}). Correct its owner and mode, or ` +
      "name another file.",
    { details: { setting: "log.file", value: path, errno }, cause },
  );
}
