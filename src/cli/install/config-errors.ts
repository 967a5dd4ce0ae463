/** The ways in which a client's file can stand in the way, as errors that say where and what to do. */
import { MemspoolError } from "../../errors.ts";
import { oneLine } from "../printable.ts";

export interface TextPosition {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

/** @param offset in UTF-16 code units */
export function positionAt(text: string, offset: number): TextPosition {
  const before = text.slice(0, offset).split(/\r\n|\n|\r/);
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

/** @param problem completes "… is not as expected: " */
export function invalidConfig(path: string, problem: string, at?: TextPosition): MemspoolError {
  const where = at === undefined ? "" : ` at line ${at.line}, column ${at.column}`;
  return new MemspoolError(
    "CLIENT_CONFIG_INVALID",
    `${oneLine(path)} can not be edited: ${problem}${where}. Nothing was written. ` +
      "Correct the file, or name another with --file.",
    { details: { file: path, problem, ...(at === undefined ? {} : { ...at }) } },
  );
}

/** @param problem a sentence's middle, such as "is a directory" */
export function unusableConfig(path: string, problem: string, cause?: unknown): MemspoolError {
  const errno = (cause as NodeJS.ErrnoException | undefined)?.code;
  return new MemspoolError(
    "CLIENT_CONFIG_UNUSABLE",
    `${oneLine(path)} ${problem}${errno === undefined ? "" : ` (${errno})`}. ` +
      "Correct that, or name another file with --file.",
    { details: { file: path, ...(errno === undefined ? {} : { errno }) }, cause },
  );
}

export function foreignEntry(path: string, name: string): MemspoolError {
  return new MemspoolError(
    "CLIENT_ENTRY_FOREIGN",
    `${oneLine(path)} already has an entry "${oneLine(name)}" that starts something else. ` +
      "Nothing was written. Choose another with --name, or replace it with --force.",
    { details: { file: path, name } },
  );
}

export function changedMeanwhile(path: string): MemspoolError {
  return new MemspoolError(
    "CLIENT_CONFIG_CHANGED",
    `${oneLine(path)} was changed by another program while it was being edited, and was left as it ` +
      "is now. Close the client, and run it again.",
    { details: { file: path } },
  );
}
