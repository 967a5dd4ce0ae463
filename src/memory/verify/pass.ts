/** What the steps of one pass over the data directory share. */
import { errnoOf } from "../../platform/errno.ts";
import type { Findings } from "./findings.ts";
import type { IdTable } from "./id-table.ts";
import { ID_WORDS, wordsOfBytes, wordsOfText } from "./id-words.ts";
import type { Pace } from "./pace.ts";
import type { VerifyParts, VerifyReport } from "./report.ts";

export interface PassOptions {
  readonly parts: VerifyParts;
  readonly table: IdTable;
  /** Of the first pass; a later one goes over the same files for other ids and finds the same. */
  readonly findings: Findings | undefined;
  readonly checked: VerifyReport["checked"];
  readonly pace: Pace;
  /** Look at content, not only at ids. */
  readonly hashes: boolean;
}

export class Pass {
  readonly parts: VerifyParts;
  readonly table: IdTable;
  readonly findings: Pick<Findings, "add">;
  readonly pace: Pace;
  readonly hashes: boolean;
  readonly isFirst: boolean;
  readonly #options: PassOptions;
  readonly #unreadable = new Set<string>();
  readonly #words = new Uint32Array(ID_WORDS);

  constructor(options: PassOptions) {
    this.parts = options.parts;
    this.table = options.table;
    this.pace = options.pace;
    this.isFirst = options.findings !== undefined;
    this.hashes = options.hashes && this.isFirst;
    this.findings = options.findings ?? { add: () => {} };
    this.#options = options;
  }

  /** Over the same table, for a look at what was looked at before. */
  withoutFindings(): Pass {
    return new Pass({ ...this.#options, findings: undefined });
  }

  /** Notes where an id is. What is no id is passed over. */
  mark(ulid: string, flag: number): void {
    if (wordsOfText(ulid, this.#words)) this.table.add(this.#words, flag);
  }

  markBytes(bytes: Uint8Array, at: number, flag: number): void {
    if (wordsOfBytes(bytes, at, this.#words)) this.table.add(this.#words, flag);
  }

  /** Without taking in an id that is not there yet. */
  markIfThere(ulid: string, flag: number): void {
    if (wordsOfText(ulid, this.#words)) this.table.addIfThere(this.#words, flag);
  }

  markBytesIfThere(bytes: Uint8Array, at: number, flag: number): void {
    if (wordsOfBytes(bytes, at, this.#words)) this.table.addIfThere(this.#words, flag);
  }

  count(what: keyof VerifyReport["checked"], count = 1): void {
    if (this.isFirst) this.#options.checked[what] += count;
  }

  /** A file that can not be read is a finding, once. @throws what is no system error */
  unreadable(name: string, error: unknown): void {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    if (this.#unreadable.has(name)) return;
    this.#unreadable.add(name);
    this.findings.add("file_unreadable", () => `${name} (${errno})`);
  }
}
