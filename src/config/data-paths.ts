/** Where everything lies below the data directory. Names only: nothing here touches the disk. */
import { join } from "node:path";

export interface DataPaths {
  readonly home: string;
  readonly configFile: string;
  readonly queueDir: string;
  readonly storeDir: string;
  readonly storeFile: string;
  /** What needs a person's look, one file each; made when there is something. */
  readonly alertsDir: string;
  /** A note of each running server for other processes; means nothing once none runs. */
  readonly runDir: string;
  /** What was thrown and caught by nobody, one report each. */
  readonly crashesDir: string;
  /** How far clients' transcripts were read; can be made again. */
  readonly transcriptsDir: string;
}

/** @param home absolute path of the data directory */
export function dataPaths(home: string): DataPaths {
  return Object.freeze({
    home,
    configFile: join(home, "config.json"),
    queueDir: join(home, "queue"),
    storeDir: join(home, "store"),
    storeFile: join(home, "store", "memspool.db"),
    alertsDir: join(home, "alerts"),
    runDir: join(home, "run"),
    crashesDir: join(home, "crashes"),
    transcriptsDir: join(home, "transcripts"),
  });
}
