/** Takes in the lines of an export: each record under its own id and time. */
import { MemspoolError } from "../../errors.ts";
import { CaptureAll } from "./capture-all.ts";
import { EXPORT_VERSION, type ImportedItem, LineFault, parseExportLine } from "./export-line.ts";
import { type Importer, type ImportParts, type ImportTally, importInvalid } from "./import-job.ts";
import { knownHashes } from "./import-known.ts";

const BATCH_COUNT_MAX = 128;
const BATCH_CHARS_MAX = 8 * 1_048_576;

type Numbered = ImportedItem & { readonly line: number };

export class ExportImporter implements Importer {
  readonly #parts: ImportParts;
  readonly #tally: ImportTally;
  readonly #captures: CaptureAll;
  #batch = new Map<string, Numbered>();
  #chars = 0;

  constructor(parts: ImportParts, tally: ImportTally) {
    this.#parts = parts;
    this.#tally = tally;
    this.#captures = new CaptureAll(parts);
  }

  async take(line: number, value: unknown): Promise<void> {
    if (isHeader(value)) {
      if (value.memspool_export === EXPORT_VERSION) return;
      await this.refuse(line, "says that a newer memspool wrote this export");
    }
    let item: ImportedItem;
    try {
      item = parseExportLine(value, this.#parts.textBytesMax);
    } catch (error) {
      if (!(error instanceof LineFault || error instanceof MemspoolError)) throw error;
      await this.flush();
      throw importInvalid(line, `can not be imported: ${error.message}`.replace(/\.$/, ""), error);
    }
    // The second of an id must find the first.
    if (this.#batch.has(item.ulid)) await this.flush();
    this.#batch.set(item.ulid, { ...item, line });
    this.#chars += item.record.surface.length;
    if (this.#batch.size >= BATCH_COUNT_MAX || this.#chars >= BATCH_CHARS_MAX) await this.flush();
  }

  async refuse(line: number, reason: string): Promise<void> {
    await this.flush();
    throw importInvalid(line, reason);
  }

  async flush(): Promise<void> {
    const items = [...this.#batch.values()];
    this.#batch = new Map();
    this.#chars = 0;
    if (items.length === 0) return;
    const known = await knownHashes(
      this.#parts,
      items.map(({ ulid }) => ulid),
    );
    await this.#captures.run(items, (item) => this.#capture(item, known.get(item.ulid)));
  }

  async #capture(item: Numbered, hashes: ReadonlySet<string> | undefined): Promise<void> {
    const { ulid, appendedAt, record, sha256, line } = item;
    const tally = this.#tally;
    if (hashes?.size === 0) {
      tally.forgotten++;
    } else if (hashes?.has(sha256)) {
      tally.alreadyHere++;
    } else if (hashes !== undefined) {
      tally.conflict(line, `${ulid} is here with another text`);
    } else {
      try {
        await this.#parts.queue.adopt(record, { ulid, appendedAt });
        tally.captured++;
      } catch (error) {
        if (!(error instanceof MemspoolError && error.code === "ULID_CONFLICT")) throw error;
        tally.conflict(line, `${ulid} is here with another text`);
      }
    }
  }
}

function isHeader(value: unknown): value is { memspool_export: unknown } {
  return typeof value === "object" && value !== null && "memspool_export" in value;
}
