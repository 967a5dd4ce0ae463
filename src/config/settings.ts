/**
 * Every setting: its name, default, check and meaning. The environment variable of a setting
 * follows from its name: `queue.maxRecords` is `MEMSPOOL_QUEUE_MAX_RECORDS`.
 */
import { RECORD_TEXT_BYTES_MAX, SHORT_STRING_BYTES_MAX } from "../record/limits.ts";
import { utf8Bytes } from "../record/utf8-bytes.ts";
import {
  byteLimit,
  choice,
  count,
  daysByProject,
  onOff,
  patternList,
  type SettingCheck,
  text,
} from "./setting-checks.ts";

export interface SettingDefinition {
  /** Takes the value as typed in a file, or as text from the environment and arguments. */
  readonly schema: SettingCheck<unknown>;
  readonly default: unknown;
  /** What a right value looks like; completes "must be …". */
  readonly expects: string;
  /** All right values, where they are few. */
  readonly choices?: readonly string[];
  readonly help: string;
  /** Another environment variable that says the same; the setting's own is the stronger one. */
  readonly alsoEnv?: string;
}

const RETENTION_DAYS_MAX = 36_500;
const path = text((value) => !value.includes("\0"));

export const SETTINGS = {
  home: {
    schema: text((value) => value !== "" && !value.includes("\0")),
    default: "~/.memspool",
    expects: "a path of a directory",
    help: "data directory",
  },
  project: {
    schema: text((name) => name !== "*" && utf8Bytes(name) <= SHORT_STRING_BYTES_MAX),
    default: "",
    expects: `a name of at most ${SHORT_STRING_BYTES_MAX} bytes other than *, or empty`,
    help: "the current project: given to captures without one, and the default scope of a search",
  },
  "project.detect": {
    ...choice(["off", "hooks", "git"]),
    default: "hooks",
    help:
      "who names the project after the git repository where none is set: hooks, everyone (git), " +
      "or nobody (off)",
  },
  "log.level": {
    ...choice(["debug", "info", "warning", "error", "critical", "silent"]),
    default: "info",
    help: "least severity that is logged: debug, info, warning, error, critical, or silent",
  },
  "log.file": {
    schema: path,
    default: "",
    expects: "a path of a file, or empty",
    help: "file for the log, a relative path counts from the data directory; empty is stderr",
  },
  "log.maxBytes": {
    ...count(10_000, 1_000_000_000),
    default: 10_000_000,
    help: "size in bytes at which the log file is rotated",
  },
  "log.backups": {
    ...count(1, 100),
    default: 5,
    help: "rotated log files that are kept beside the current one",
  },
  "record.maxBytes": {
    ...count(1, RECORD_TEXT_BYTES_MAX),
    default: RECORD_TEXT_BYTES_MAX,
    help: "largest text of a record, in bytes of UTF-8",
  },
  "queue.maxRecords": {
    ...count(1, 10_000_000),
    default: 10_000,
    help: "pending records beyond which the overflow policy acts",
  },
  "queue.overflow": {
    ...choice(["spill", "reject", "drop-oldest"]),
    default: "spill",
    help:
      "what a full queue does: spill moves its oldest to compressed files, reject refuses, " +
      "drop-oldest loses its oldest",
  },
  "queue.maxAttempts": {
    ...count(1, 100),
    default: 3,
    help: "tries at a record that is at fault itself before it is quarantined",
  },
  "ingest.batchRecords": {
    ...count(1, 500),
    default: 500,
    help: "most records in one transaction",
  },
  "ingest.pollMs": {
    ...count(50, 2_000),
    default: 1_000,
    help: "longest wait, in milliseconds, before another process's captures are noticed",
  },
  "ingest.enabled": {
    ...onOff,
    default: true,
    help: "whether this server may become the ingester of its data directory",
  },
  "spool.quotaMb": {
    ...count(1, 100_000_000),
    default: 512,
    alsoEnv: "MEMSPOOL_QUOTA_MB",
    help: "disk quota of queue, spill and done archive together, in MiB",
  },
  "spool.softPct": {
    ...count(1, 100),
    default: 90,
    help: "share of the quota, in percent, above which the done archive is trimmed",
  },
  "spool.hardPct": {
    ...count(1, 100),
    default: 100,
    help: "share of the quota, in percent, from which captures wait or are refused",
  },
  "spool.freeMbMin": {
    ...count(0, 1_000_000),
    default: 64,
    help: "free space of the disk, in MiB, below which captures wait or are refused",
  },
  "spool.freeInodesMin": {
    ...count(0, 1_000_000_000),
    default: 1_000,
    help: "free inodes of the disk below which captures wait or are refused",
  },
  "spool.delayMs": {
    ...count(0, 10_000),
    default: 300,
    help: "how long a capture is slowed above the soft limit when nothing is left to trim",
  },
  "spool.waitMs": {
    ...count(0, 30_000),
    default: 2_000,
    help: "how long a capture waits at the hard limit before it is refused",
  },
  "spool.waitRecords": {
    ...count(0, 10_000),
    default: 64,
    help: "captures that may wait at the hard limit",
  },
  "spool.waitBytes": {
    ...count(0, 1_073_741_824),
    default: 16_777_216,
    help: "bytes of text of the captures that may wait at the hard limit",
  },
  "memory.limitBytes": {
    ...byteLimit,
    default: 0,
    alsoEnv: "MEMORY_LIMIT_BYTES",
    help: "memory that this process may use, in bytes; 0 leaves it to cgroup and V8",
  },
  "memory.throttlePct": {
    ...count(1, 100),
    default: 70,
    help: "share of the memory limit, in percent, from which ingestion is slowed",
  },
  "memory.shedPct": {
    ...count(1, 100),
    default: 85,
    help: "share of the memory limit, in percent, from which low-priority captures are refused",
  },
  "memory.criticalPct": {
    ...count(1, 100),
    default: 90,
    help: "share of the memory limit, in percent, from which it is critical",
  },
  "memory.reliefPct": {
    ...count(1, 100),
    default: 55,
    help: "share of the memory limit, in percent, below which all is well again",
  },
  "stall.pct": {
    ...count(1, 100),
    default: 20,
    help: "share of time, in percent, in which tasks stall (Linux PSI, some avg10) that is pressure",
  },
  "governor.loopDelayMs": {
    ...count(10, 60_000),
    default: 250,
    help: "delay of the event loop, in milliseconds (99th percentile), that is pressure",
  },
  "governor.storeMs": {
    ...count(10, 60_000),
    default: 2_000,
    help: "time of one transaction of the store, in milliseconds, that is pressure",
  },
  "governor.coolDownMs": {
    ...count(100, 3_600_000),
    default: 30_000,
    help: "shortest time, in milliseconds, between two steps of the ingester's pace",
  },
  "governor.floorPct": {
    ...count(1, 100),
    default: 20,
    help: "slowest pace of the ingester under pressure, in percent of its full one",
  },
  "earlyDrop.fromPct": {
    ...count(1, 100),
    default: 60,
    help: "fill of the queue, in percent, from which some low-priority captures are refused",
  },
  "earlyDrop.refusePct": {
    ...count(0, 100),
    default: 30,
    help: "share of low-priority captures, in percent, that is refused when the queue is full",
  },
  "hook.recall": {
    ...onOff,
    default: true,
    help: "whether the hook of a session's start shows the client what was said before",
  },
  "hook.recallChars": {
    ...count(200, 20_000),
    default: 4_000,
    help: "largest text that such a hook shows, in characters",
  },
  "hook.tools": {
    ...onOff,
    default: false,
    help: "whether hooks also capture what tools answered",
  },
  "privacy.privateSpans": {
    ...onOff,
    default: false,
    help: "whether <private>…</private> is taken out of a text before it is stored",
  },
  "privacy.secrets": {
    ...onOff,
    default: false,
    help: "whether known forms of keys and tokens are taken out before a text is stored",
  },
  "privacy.patterns": {
    ...patternList,
    default: [],
    help: "regular expressions, in JSON; what they match is taken out before a text is stored",
  },
  "retention.days": {
    ...count(0, RETENTION_DAYS_MAX),
    default: 0,
    help: "age in days beyond which records are forgotten for good; 0 keeps them for ever",
  },
  "retention.projects": {
    ...daysByProject(RETENTION_DAYS_MAX, SHORT_STRING_BYTES_MAX),
    default: {},
    help: "projects with days of their own, in JSON: they count instead of retention.days",
  },
} as const satisfies Record<string, SettingDefinition>;

export type SettingName = keyof typeof SETTINGS;

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

type Checked<S> = S extends { safeParse(value: unknown): infer R }
  ? Extract<R, { success: true }> extends { data: infer T }
    ? T
    : never
  : never;

/** All settings, resolved, checked and frozen. */
export type Config = Readonly<{
  [N in SettingName]: Checked<(typeof SETTINGS)[N]["schema"]>;
}>;

/** `queue.maxRecords` → `MEMSPOOL_QUEUE_MAX_RECORDS`. */
export function envName(setting: string): string {
  const words = setting.replace(/([a-z])([A-Z])/g, "$1_$2").replaceAll(".", "_");
  return `MEMSPOOL_${words.toUpperCase()}`;
}
