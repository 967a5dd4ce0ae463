/**
 * A copy of the whole database while others write to it.
 *
 * Guarantees: the copy is the database as it was when the call began, in one file that needs no log
 * beside it; writers are not blocked and do not make the copying start anew, because it reads one
 * pinned snapshot (measured: without it, 1,000 commits a second keep it from ever ending). The file
 * is of mode 0600. Does not sync it: whoever asked for it does.
 * While it runs, the log of the original can not be emptied and grows by what is written.
 */
import { type DurableFsSync, nodeDurableFsSync } from "../../platform/durable-fs-sync.ts";
import type { StoreCopyOptions } from "../memory-store.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { copyPages, openDatabase, openDatabaseToRead } from "./driver.ts";
import { storeError } from "./errors.ts";

/** Pages between two reports of progress. */
const STEP_PAGES = 256;
const PROBLEM_COUNT_MAX = 100;

/**
 * @param to a path that is free
 * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; the system error of the new file
 */
export async function copyDatabase(
  source: ConnectionOptions,
  to: string,
  options: StoreCopyOptions = {},
): Promise<void> {
  const fs: DurableFsSync = source.fs ?? nodeDurableFsSync;
  fs.close(fs.openExclusive(to));
  const connection = new Connection({ ...source, readOnly: true });
  try {
    connection.db.exec("BEGIN");
    // The snapshot is taken by the first read, not by BEGIN.
    connection.db.prepare("SELECT records FROM totals").get();
    const pages = await copyPages(connection.db, to, {
      stepPages: STEP_PAGES,
      onProgress: (done, total) => {
        options.signal?.throwIfAborted();
        options.onProgress?.(done, total);
      },
    });
    options.onProgress?.(pages, pages);
    options.signal?.throwIfAborted();
  } catch (error) {
    throw storeError(error);
  } finally {
    // Closing alone may keep the snapshot until the next garbage collection, and the log with it.
    if (connection.db.isTransaction) connection.db.exec("ROLLBACK");
    connection.close();
  }
  foldLog(to, source.busyTimeoutMs ?? 0);
}

/** The copy says of itself that it has a log; one file that is whole alone is easier to keep. */
function foldLog(file: string, busyTimeoutMs: number): void {
  const db = openDatabase(file, busyTimeoutMs);
  try {
    db.exec("PRAGMA journal_mode = DELETE");
  } catch (error) {
    throw storeError(error);
  } finally {
    db.close();
  }
}

/**
 * Looks through every page of a database that nobody uses; changes nothing.
 * @returns what is wrong with it, without any of what it holds; undefined if it is sound
 */
export function findDamage(file: string): string | undefined {
  try {
    const db = openDatabaseToRead(file);
    try {
      const findings = db.prepare(`PRAGMA quick_check(${PROBLEM_COUNT_MAX})`).all();
      if (findings.length !== 1 || findings[0]?.quick_check !== "ok") {
        return `SQLite found ${findings.length} problems in it`;
      }
      const counts = db
        .prepare("SELECT (SELECT records FROM totals) AS t, (SELECT count(*) FROM records) AS n")
        .get();
      return counts?.t === counts?.n ? undefined : `it counts ${counts?.t}, and has ${counts?.n}`;
    } finally {
      db.close();
    }
  } catch {
    return "SQLite can not read it"; // its own words may quote what is stored
  }
}
