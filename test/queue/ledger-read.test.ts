import { appendFileSync, mkdirSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { LedgerReader, ledgerNames } from "../../src/queue/ledger-read.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const NAME = ".ledger-20260301-09";
const ULID_BYTES = 26;

function idOf(n: number): string {
  return `01JQ7Z8X9Y${String(n).padStart(16, "0")}`;
}

function ledger(content = "", chunkBytes = Number.POSITIVE_INFINITY) {
  const layout = queueLayout(freshDirectory());
  const path = join(layout.dir, NAME);
  writeFileSync(path, content);
  // A reader must be right wherever a read happens to end.
  const fs = {
    ...nodeDurableFsSync,
    readAt: (fd: number, into: Uint8Array, position: number) =>
      nodeDurableFsSync.readAt(fd, into.subarray(0, Math.min(into.length, chunkBytes)), position),
  };
  const reader = new LedgerReader(fs, layout, NAME);
  const read = (): string[] => {
    const ids: string[] = [];
    for (const _ of reader.read((bytes, at) => {
      ids.push(bytes.toString("latin1", at, at + ULID_BYTES));
    }));
    return ids;
  };
  return { layout, path, reader, read };
}

it("V1: gives out every id, wherever the file's pieces end", () => {
  const ids = Array.from({ length: 300 }, (_, n) => idOf(n));
  const content = ids.map((id) => `${id}\n`).join("");
  for (const chunkBytes of [1, 2, 26, 27, 28, 53, 1_000, Number.POSITIVE_INFINITY]) {
    const { reader, read } = ledger(content, chunkBytes);
    expect(read()).toEqual(ids);
    expect(reader).toMatchObject({ lines: 300, torn: 0, unfinishedBytes: 0 });
  }
});

it("V1: a file of several chunks is read to its end", () => {
  const count = 100_000;
  const content = Array.from({ length: count }, (_, n) => `${idOf(n)}\n`).join("");
  const { reader, read } = ledger(content);
  const ids = read();
  expect(ids).toHaveLength(count);
  expect([ids[0], ids[38_836], ids.at(-1)]).toEqual([idOf(0), idOf(38_836), idOf(count - 1)]);
  expect(reader.torn).toBe(0);
});

it.each<[what: string, line: string, ids: string[], torn: number]>([
  ["an id behind a torn one", `01JQ7Z8${idOf(1)}`, [idOf(1)], 1],
  ["an id behind zeroes", `${"\0".repeat(40)}${idOf(1)}`, [idOf(1)], 1],
  ["an id behind a stretch longer than a piece", `${"x".repeat(500)}${idOf(1)}`, [idOf(1)], 1],
  ["a torn id", "01JQ7Z8", [], 1],
  ["an empty line", "", [], 1],
  ["an id in small letters", idOf(1).toLowerCase(), [], 1],
  ["an id beyond the largest", `8${idOf(1).slice(1)}`, [], 1],
  ["an id with a flipped bit", idOf(1).replace("J", "I"), [], 1],
])("V1: takes the end of a line that is %s", (_, line, ids, torn) => {
  for (const chunkBytes of [1, 7, 100, Number.POSITIVE_INFINITY]) {
    const { reader, read } = ledger(`${idOf(0)}\n${line}\n${idOf(2)}\n`, chunkBytes);
    expect(read()).toEqual([idOf(0), ...ids, idOf(2)]);
    expect(reader).toMatchObject({ lines: 2 + ids.length, torn });
  }
});

it("V1: reading again goes on behind the last whole line, and sees nothing twice", () => {
  const { path, reader, read } = ledger(`${idOf(0)}\n${idOf(1).slice(0, 9)}`);
  expect(read()).toEqual([idOf(0)]);
  expect(reader.unfinishedBytes).toBe(9);
  expect(read()).toEqual([]);
  appendFileSync(path, `${idOf(1).slice(9)}\n${idOf(2)}\n`);
  expect(read()).toEqual([idOf(1), idOf(2)]);
  expect(reader).toMatchObject({ lines: 3, torn: 0, unfinishedBytes: 0 });
});

it("V1: lists the ledger's files by hour; one that is gone has no lines", () => {
  const { layout, path, read } = ledger(`${idOf(0)}\n`);
  for (const name of [".ledger-20260228-23", ".ledger-x", "ledger-20260301-10", ".ledger-1.tmp"]) {
    writeFileSync(join(layout.dir, name), "");
  }
  expect(ledgerNames(nodeDurableFsSync, layout)).toEqual([".ledger-20260228-23", NAME]);
  unlinkSync(path);
  expect(read()).toEqual([]);
  expect(ledgerNames(nodeDurableFsSync, queueLayout(join(layout.dir, "none")))).toEqual([]);
});

it("X1: a symlink in its place is not followed, and a directory is an error", () => {
  const { layout, path, read } = ledger();
  const elsewhere = join(layout.dir, "elsewhere");
  writeFileSync(elsewhere, `${idOf(0)}\n`);
  unlinkSync(path);
  symlinkSync(elsewhere, path);
  expect(read).toThrow(/ELOOP/);
  unlinkSync(path);
  mkdirSync(path);
  expect(read).toThrow(/EISDIR/);
});
