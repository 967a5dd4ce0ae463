/** What carries records out of a data directory and into it; each part is loaded when it is used. */
import type { Config } from "../config/settings.ts";
import type { Events } from "../events/catalogue.ts";
import type { BackupOptions, BackupResult } from "../memory/backup/backup.ts";
import type { TranscriptsResult } from "../memory/transfer/transcripts/import-job.ts";
import type { TranscriptRoot } from "../memory/transfer/transcripts/transcript-files.ts";
import type { TranscriptsHereOptions, TranscriptsHereParts } from "./transcripts-here.ts";
import type {
  ExportHereOptions,
  ExportResult,
  ExportTarget,
  ImportOptions,
  ImportResult,
  ImportSource,
} from "./transfer-here.ts";

export interface Transfers {
  /** Copies everything into a new directory while servers go on. TARGET_EXISTS, BACKUP_INVALID. */
  backUp(target: string, options: BackupOptions): Promise<BackupResult>;
  /** Writes every record as a line. TARGET_EXISTS, STORE_UNAVAILABLE. */
  exportTo(target: ExportTarget, options: ExportHereOptions): Promise<ExportResult>;
  /** Captures the records of a file. IMPORT_INVALID, and what a capture throws. */
  importFrom(source: ImportSource, options: ImportOptions): Promise<ImportResult>;
  /** Captures the turns of clients' transcripts. INVALID_ARGUMENT, and what a capture throws. */
  importTranscripts(
    roots: readonly TranscriptRoot[],
    options: TranscriptsHereOptions,
  ): Promise<TranscriptsResult>;
}

export function transfers(parts: TranscriptsHereParts & { readonly events: Events }): Transfers {
  const config: Config = parts.config;
  return {
    backUp: async (target, options) => {
      const { backUpHere } = await import("./backup-here.ts");
      return backUpHere(config, parts.events, target, options);
    },
    exportTo: async (target, options) => {
      const { exportHere } = await import("./transfer-here.ts");
      return exportHere(parts, target, options);
    },
    importFrom: async (source, options) => {
      const { importHere } = await import("./transfer-here.ts");
      return importHere(parts, source, options);
    },
    importTranscripts: async (roots, options) => {
      const { importTranscriptsHere } = await import("./transcripts-here.ts");
      return importTranscriptsHere(parts, roots, options);
    },
  };
}
