/**
 * Every setting: its name, default, check and meaning. The environment variable of a setting
 * follows from its name: `queue.maxRecords` is `MEMSPOOL_QUEUE_MAX_RECORDS`.
 */
import { z } from "zod";
import { RECORD_TEXT_BYTES_MAX } from "../record/limits.ts";

export interface SettingDefinition {
  readonly schema: z.ZodType;
  readonly default: unknown;
  readonly help: string;
}

const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

export const SETTINGS = {
  home: {
    schema: z.string().min(1),
    default: "~/.memspool",
    help: "data directory",
  },
  project: {
    schema: z.string(),
    default: "",
    help: "the current project: given to captures without one, and the default scope of a search",
  },
  "log.level": {
    schema: z.enum(["debug", "info", "warning", "error", "critical", "silent"]),
    default: "info",
    help: "least severity that is logged",
  },
  "log.file": {
    schema: z.string(),
    default: "",
    help: "file for the log; empty is stderr",
  },
  "record.maxBytes": {
    schema: count(1, RECORD_TEXT_BYTES_MAX),
    default: RECORD_TEXT_BYTES_MAX,
    help: "largest text of a record, in bytes of UTF-8",
  },
  "queue.maxAttempts": {
    schema: count(1, 100),
    default: 3,
    help: "tries at a record that is at fault itself before it is quarantined",
  },
  "ingest.batchRecords": {
    schema: count(1, 500),
    default: 500,
    help: "most records in one transaction",
  },
  "ingest.pollMs": {
    schema: count(50, 2_000),
    default: 1_000,
    help: "longest wait, in milliseconds, before another process's captures are noticed",
  },
  "ingest.enabled": {
    schema: z.stringbool().or(z.boolean()),
    default: true,
    help: "whether this server may become the ingester of its data directory",
  },
} as const satisfies Record<string, SettingDefinition>;

export type SettingName = keyof typeof SETTINGS;

/** All settings, resolved, checked and frozen. */
export type Config = Readonly<{
  [N in SettingName]: z.infer<(typeof SETTINGS)[N]["schema"]>;
}>;

/** `queue.maxRecords` → `MEMSPOOL_QUEUE_MAX_RECORDS`. */
export function envName(setting: string): string {
  const words = setting.replace(/([a-z])([A-Z])/g, "$1_$2").replaceAll(".", "_");
  return `MEMSPOOL_${words.toUpperCase()}`;
}
