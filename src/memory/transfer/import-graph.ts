/** Takes in the lines of the official memory server's file. */
import { MemspoolError } from "../../errors.ts";
import type { MemoryRecord } from "../../record/memory-record.ts";
import { CaptureAll } from "./capture-all.ts";
import {
  type Importer,
  type ImportOptions,
  type ImportParts,
  type ImportTally,
  importInvalid,
} from "./import-job.ts";
import { graphContent, SERVER_MEMORY_SOURCE } from "./server-memory.ts";

const BATCH_COUNT_MAX = 128;

interface Numbered {
  readonly line: number;
  readonly record: MemoryRecord;
}

export class GraphImporter implements Importer {
  readonly #parts: ImportParts;
  readonly #options: ImportOptions;
  readonly #tally: ImportTally;
  readonly #captures: CaptureAll;
  readonly #project: string;
  readonly #keys: Set<string>;
  #batch: Numbered[] = [];

  /** Reads which of its records are here already. */
  static async start(
    parts: ImportParts,
    options: ImportOptions,
    tally: ImportTally,
  ): Promise<GraphImporter> {
    const project = options.project ?? parts.project;
    const keys = await parts.knownKeys(SERVER_MEMORY_SOURCE, project);
    return new GraphImporter(parts, options, tally, project, keys);
  }

  private constructor(
    parts: ImportParts,
    options: ImportOptions,
    tally: ImportTally,
    project: string,
    keys: Set<string>,
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#tally = tally;
    this.#captures = new CaptureAll(parts);
    this.#project = project;
    this.#keys = keys;
  }

  async take(line: number, value: unknown): Promise<void> {
    const { tags } = this.#options;
    const project = this.#project === "" ? undefined : this.#project;
    const { records, faults } = graphContent(value, { project, tags });
    for (const fault of faults) await this.refuse(line, fault);
    for (const record of records) {
      const key = record.idempotency_key as string;
      if (this.#keys.has(key)) {
        this.#tally.alreadyHere++;
        continue;
      }
      this.#keys.add(key);
      this.#batch.push({ line, record });
      if (this.#batch.length >= BATCH_COUNT_MAX) await this.flush();
    }
  }

  async refuse(line: number, reason: string): Promise<void> {
    if (this.#options.strict === true) {
      await this.flush();
      throw importInvalid(line, `can not be taken whole: ${reason}`);
    }
    this.#tally.skip(line, reason);
  }

  async flush(): Promise<void> {
    const items = this.#batch;
    this.#batch = [];
    await this.#captures.run(items, (item) => this.#capture(item));
  }

  async #capture({ line, record }: Numbered): Promise<void> {
    try {
      await this.#parts.queue.append(record);
      this.#tally.captured++;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (this.#options.strict === true) throw importInvalid(line, error.message, error);
      this.#tally.skip(line, error.code);
    }
  }
}

/** The record can not be kept as it is; others can. */
function isRefusal(error: unknown): error is MemspoolError {
  if (!(error instanceof MemspoolError)) return false;
  return error.code === "RECORD_INVALID" || error.code === "RECORD_TOO_LARGE";
}
