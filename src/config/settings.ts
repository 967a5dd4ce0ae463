/**
 * Every setting: its name, default, check and meaning. The environment variable of a setting
 * follows from its name: `queue.maxRecords` is `MEMSPOOL_QUEUE_MAX_RECORDS`.
 */
import { z } from "zod";
import { RECORD_TEXT_BYTES_MAX, SHORT_STRING_BYTES_MAX } from "../record/limits.ts";
import { utf8Bytes } from "../record/memory-record.ts";

export interface SettingDefinition {
  /** Takes the value as typed in a file, or as text from the environment and arguments. */
  readonly schema: z.ZodType;
  readonly default: unknown;
  /** What a right value looks like; completes "must be …". */
  readonly expects: string;
  readonly help: string;
}

/** A whole number; text only in plain decimal digits, so that "", "0x10" and true are refused. */
function count(min: number, max: number) {
  return {
    schema: z
      .union([
        z.number(),
        z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number),
      ])
      .pipe(z.int().min(min).max(max)),
    expects: `a whole number from ${min} to ${max}`,
  };
}

function choice<const Names extends readonly [string, ...string[]]>(names: Names) {
  return { schema: z.enum(names), expects: `one of ${names.join(", ")}` };
}

const path = z.string().refine((text) => !text.includes("\0"));
const onOff = {
  schema: z.union([z.boolean(), z.stringbool()]),
  expects: "true or false",
};

export const SETTINGS = {
  home: {
    schema: path.min(1),
    default: "~/.memspool",
    expects: "a path of a directory",
    help: "data directory",
  },
  project: {
    schema: z.string().refine((name) => name !== "*" && utf8Bytes(name) <= SHORT_STRING_BYTES_MAX),
    default: "",
    expects: `a name of at most ${SHORT_STRING_BYTES_MAX} bytes other than *, or empty`,
    help: "the current project: given to captures without one, and the default scope of a search",
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
} as const satisfies Record<string, SettingDefinition>;

export type SettingName = keyof typeof SETTINGS;

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** All settings, resolved, checked and frozen. */
export type Config = Readonly<{
  [N in SettingName]: z.infer<(typeof SETTINGS)[N]["schema"]>;
}>;

/** `queue.maxRecords` → `MEMSPOOL_QUEUE_MAX_RECORDS`. */
export function envName(setting: string): string {
  const words = setting.replace(/([a-z])([A-Z])/g, "$1_$2").replaceAll(".", "_");
  return `MEMSPOOL_${words.toUpperCase()}`;
}
