/** Where everything lies below the queue directory, and which names are whose. Touches no disk. */
import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";

export interface QueueLayout {
  readonly dir: string;
  readonly quarantineDir: string;
  readonly doneDir: string;
  /** Spilled records, in compressed segments. */
  readonly overflowDir: string;
  /** Orders to forget that are under way; made by the first of them. */
  readonly forgetDir: string;
  /** Orders that were carried out. */
  readonly forgottenDir: string;
  readonly ingesterDir: string;
  /** Lock path of the lease; a directory made by proper-lockfile. */
  readonly leasePath: string;
  readonly leaderFile: string;
  readonly highWaterFile: string;
  readonly flushFile: string;
  /** One line for every record that left the full queue; rotated. */
  readonly auditFile: string;
  /** Totals of audit files that were deleted. */
  readonly auditCheckpointFile: string;
}

const ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}";
const PENDING = new RegExp(`^pending-(${ULID})\\.json$`);
const MARK = new RegExp(`^pending-(${ULID})\\.lock$`);
const QUARANTINED = new RegExp(`^pending-(${ULID})(?:\\.\\d{1,4})?\\.json$`);
const LEDGER = /^\.ledger-\d{8}-\d{2}$/;
const TEMP = new RegExp(`^\\.tmp-${ULID}-[0-9a-f]{12}$`);
/** What write-file-atomic leaves when it dies: the target's name and a number. */
const REWRITE_TEMP =
  /^(?:pending-[0-9A-Z]{26}(?:\.\d{1,4})?\.(?:reason\.json|lock)|[0-9A-Z]{26}-[0-9A-Z]{26}-\d{1,6}-[0-9a-f]{12}\.ndjson\.gz\.reason\.json|leader\.json|high-water|\.overflow-audit\.checkpoint\.json)\.\d+$/;

/** @param queueDir the queue directory; a relative one is fixed to where the process is now */
export function queueLayout(queueDir: string): QueueLayout {
  const dir = resolve(queueDir); // without a trailing slash, which would hide a symlink
  const ingesterDir = join(dir, "ingester");
  return Object.freeze({
    dir,
    quarantineDir: join(dir, "quarantine"),
    doneDir: join(dir, "done"),
    overflowDir: join(dir, "overflow"),
    forgetDir: join(dir, "forget"),
    forgottenDir: join(dir, "forget", "done"),
    ingesterDir,
    leasePath: join(ingesterDir, "lease.lock"),
    leaderFile: join(ingesterDir, "leader.json"),
    highWaterFile: join(ingesterDir, "high-water"),
    flushFile: join(ingesterDir, "flush"),
    auditFile: join(dir, ".overflow-audit.log"),
    auditCheckpointFile: join(dir, ".overflow-audit.checkpoint.json"),
  });
}

export function pendingPath(layout: QueueLayout, ulid: string): string {
  return join(layout.dir, pendingName(ulid));
}

export function pendingName(ulid: string): string {
  return `pending-${ulid}.json`;
}

export function markPath(layout: QueueLayout, ulid: string): string {
  return join(layout.dir, `pending-${ulid}.lock`);
}

const tempSeries = randomBytes(3).toString("hex");
let tempNumber = 0;

/** A name that nobody else uses, for a file on its way to or from its real name. */
export function tempPath(layout: QueueLayout, ulid: string): string {
  tempNumber = (tempNumber + 1) % 0x1_000_000;
  return join(layout.dir, `.tmp-${ulid}-${tempSeries}${tempNumber.toString(16).padStart(6, "0")}`);
}

/** The id in a pending envelope's name; undefined for every other name. */
export function pendingUlid(name: string): string | undefined {
  return PENDING.exec(name)?.[1];
}

/** The id in a mark's name. */
export function markUlid(name: string): string | undefined {
  return MARK.exec(name)?.[1];
}

/** The id in a quarantined envelope's name. */
export function quarantinedUlid(name: string): string | undefined {
  return QUARANTINED.exec(name)?.[1];
}

/** @param hour as done-archive's utcHour gives it */
export function ledgerPath(layout: QueueLayout, hour: string): string {
  return join(layout.dir, `.ledger-${hour}`);
}

/** The hour in a ledger's name; undefined for every other name. */
export function ledgerHour(name: string): string | undefined {
  return LEDGER.test(name) ? name.slice(".ledger-".length) : undefined;
}

/** True for a file that only a crash leaves behind. */
export function isLeftover(name: string): boolean {
  return TEMP.test(name) || REWRITE_TEMP.test(name);
}
