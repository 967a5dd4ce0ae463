/**
 * Copies a queue directory into a backup while others append to it and drain it.
 *
 * Guarantees: every record that was acknowledged before the call is in the copy of the queue, or in
 * the store by the time this resolves: records move pending → spill → store, and each place holds
 * them durably before the last lets go, so the places are read in that order. Quarantine can be left
 * again by a retry, so it is read before, between and behind. The ledger is read first and so lists
 * nothing that the rest lacks; the done archive is read before the store and so holds nothing that
 * the store lacks; the audit log is read behind the places whose losses it explains.
 * Copied are files that this program knows: no lease, no marks, no temp files.
 */
import { join } from "node:path";
import { MemspoolError } from "../../errors.ts";
import type { DurableFs } from "../../platform/durable-fs.ts";
import { isErrno } from "../../platform/errno.ts";
import { withAuditFiles } from "../../queue/audit-files.ts";
import { isArchiveName } from "../../queue/done-archive.ts";
import { sortOrders } from "../../queue/forget-order.ts";
import { isLeftover, ledgerHour, pendingUlid, type QueueLayout } from "../../queue/layout.ts";
import { parseSegmentName } from "../../queue/spill-segment.ts";
import { inLanes } from "../in-lanes.ts";
import { type CopyOutcome, copyFile, copyOpened, type WholeBytes } from "./copy-file.ts";
import { type BackupFile, isBackupPath, type SkippedFile } from "./manifest.ts";
import { wholeLines, wholeMembers } from "./whole-pieces.ts";

/** Directories of a backup's queue, parents first. */
export const QUEUE_DIRECTORIES = [
  "queue",
  "queue/quarantine",
  "queue/done",
  "queue/overflow",
  "queue/ingester",
  "queue/forget",
  "queue/forget/done",
] as const;

const COPIES_AT_ONCE = 8;
/** Passes over the places that records move between. */
const PASSES = 2;
const AUDIT_TRIES_MAX = 3;

export interface QueueCopyParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  /** The backup under its temporary name. */
  readonly directory: string;
  readonly onProgress: (done: number, total: number) => void;
  readonly signal: AbortSignal | undefined;
}

interface Place {
  readonly from: string;
  /** Inside the backup. */
  readonly to: string;
  readonly isOurs: (name: string) => boolean;
  readonly wholeBytes?: WholeBytes;
}

export class QueueCopy {
  readonly files: BackupFile[] = [];
  readonly skipped: SkippedFile[] = [];
  readonly #parts: QueueCopyParts;
  readonly #seen = new Set<string>();
  #done = 0;

  constructor(parts: QueueCopyParts) {
    this.#parts = parts;
  }

  /** @throws system errors of the copy's side; of the queue's, that of a directory */
  async copyRecords(): Promise<void> {
    const { dir, quarantineDir, overflowDir, doneDir } = this.#parts.layout;
    const isRecord = (name: string) => pendingUlid(name) !== undefined;
    const isSegment = (name: string) => parseSegmentName(name) !== undefined;
    const isLedger = (name: string) => ledgerHour(name) !== undefined;
    const isKept = (name: string) => !isLeftover(name);
    const quarantine = { from: quarantineDir, to: "queue/quarantine", isOurs: isKept };
    await this.#place({ from: dir, to: "queue", isOurs: isLedger, wholeBytes: wholeLines });
    for (let pass = 0; pass < PASSES; pass++) {
      await this.#place(quarantine);
      await this.#place({ from: dir, to: "queue", isOurs: isRecord });
      await this.#place({ from: overflowDir, to: "queue/overflow", isOurs: isSegment });
    }
    await this.#place(quarantine);
    await this.#orders();
    await this.#audit();
    await this.#place({
      from: doneDir,
      to: "queue/done",
      isOurs: isArchiveName,
      wholeBytes: wholeMembers,
    });
  }

  /** The newest id that was let go of, which must be no older than anything in the store's copy. */
  async copyHighWater(): Promise<void> {
    await this.#one(this.#parts.layout.highWaterFile, "queue/ingester/high-water");
  }

  /** Under way before those that are carried out, as they move; what was made by both is one. */
  async #orders(): Promise<void> {
    const { forgetDir, forgottenDir } = this.#parts.layout;
    const isOurs = (name: string) => sortOrders([name]).length > 0;
    await this.#place({ from: forgetDir, to: "queue/forget", isOurs });
    await this.#place({ from: forgottenDir, to: "queue/forget/done", isOurs });
  }

  /** Oldest first: they move on first. */
  async #place({ from, to, isOurs, wholeBytes }: Place): Promise<void> {
    const names = (await namesOf(this.#parts.fs, from)).filter(
      (name) => isOurs(name) && !this.#seen.has(`${to}/${name}`),
    );
    names.sort();
    const total = this.#done + names.length;
    await inLanes(names, COPIES_AT_ONCE, async (name) => {
      if (!isBackupPath(`${to}/${name}`)) return this.#skipForeign(`${to}/${name}`);
      await this.#one(join(from, name), `${to}/${name}`, wholeBytes);
      this.#parts.onProgress(++this.#done, total);
    });
  }

  async #one(from: string, to: string, wholeBytes?: WholeBytes): Promise<void> {
    this.#parts.signal?.throwIfAborted();
    const { fs, directory } = this.#parts;
    this.#note(to, await copyFile(fs, from, join(directory, to), wholeBytes));
  }

  /** One such name in a manifest would make the whole backup useless. */
  #skipForeign(path: string): void {
    this.#seen.add(path);
    this.skipped.push({ path, reason: "no name that memspool gives" });
  }

  #note(path: string, outcome: CopyOutcome): void {
    if ("gone" in outcome) return; // it moved on: its next place is read later
    this.#seen.add(path);
    if ("copied" in outcome) this.files.push({ path, ...outcome.copied });
    else this.skipped.push({ path, reason: outcome.unreadable });
  }

  /**
   * The checkpoint holds the totals of files that are gone. Were one deleted between the two copies,
   * its lines would be in neither or in both: so the checkpoint is compared again with them open.
   */
  async #audit(): Promise<void> {
    const { fs, layout, directory } = this.#parts;
    const checkpoint = "queue/.overflow-audit.checkpoint.json";
    const read = () => fs.read(layout.auditCheckpointFile).catch(() => undefined);
    for (let tries = 1; ; tries++) {
      const before = await read();
      const isSettled = await withAuditFiles(fs, layout, async ({ files, strange }) => {
        const now = await read();
        if (tries < AUDIT_TRIES_MAX && before?.toString() !== now?.toString()) return false;
        for (const [at, { fd }] of files.entries()) {
          const age = files.length - 1 - at;
          const to = `queue/.overflow-audit.log${age === 0 ? "" : `.${age}`}`;
          this.#note(to, await copyOpened(fs, fd, join(directory, to), wholeLines));
        }
        for (const name of strange) {
          this.skipped.push({ path: `queue/${name}`, reason: "no regular file" });
        }
        await this.#one(layout.auditCheckpointFile, checkpoint);
        return true;
      });
      if (isSettled) return;
    }
  }
}

async function namesOf(fs: DurableFs, directory: string): Promise<string[]> {
  try {
    return await fs.names(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // nothing was ever put there
    if (!isErrno(error, "EACCES", "ENOTDIR")) throw error;
    throw new MemspoolError(
      "DATA_DIR_UNUSABLE",
      `${directory} can not be listed, so there would be a hole in the backup. Correct its owner ` +
        "and mode, and run it again.",
      { details: { path: directory }, cause: error },
    );
  }
}
