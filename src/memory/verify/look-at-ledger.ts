/**
 * The ledger: everything that was acknowledged.
 *
 * Read before all else, so that what is acknowledged while others are looked at does not count as
 * missing; and once more at the end, only for ids that were found, so that it does not count as
 * unledgered either.
 */
import { join } from "node:path";
import { factsIfThere } from "../../platform/durable-fs-sync.ts";
import { LedgerReader, ledgerNames } from "../../queue/ledger-read.ts";
import type { Pass } from "./pass.ts";
import { LEDGERED } from "./places.ts";

export type LedgerReaders = Map<string, LedgerReader>;

export async function lookAtLedger(pass: Pass): Promise<LedgerReaders> {
  const readers: LedgerReaders = new Map();
  await readOn(pass, readers, (bytes, at) => pass.markBytes(bytes, at, LEDGERED));
  for (const { lines } of readers.values()) pass.count("ledger_lines", lines);
  return readers;
}

export async function lookAtLedgerAgain(pass: Pass, readers: LedgerReaders): Promise<void> {
  await readOn(pass, readers, (bytes, at) => pass.markBytesIfThere(bytes, at, LEDGERED));
  for (const [name, { torn, unfinishedBytes }] of readers) {
    const count = torn + (unfinishedBytes > 0 ? 1 : 0);
    if (count === 0) continue;
    pass.count("torn_ledger_lines", count);
    pass.findings.add("ledger_torn", () => name, count);
  }
}

async function readOn(
  pass: Pass,
  readers: LedgerReaders,
  onUlid: (bytes: Buffer, at: number) => void,
): Promise<void> {
  const { fs, layout } = pass.parts;
  const names = ledgerNames(fs, layout);
  const bytes = names.map((name) => factsIfThere(fs, join(layout.dir, name))?.bytes ?? 0);
  const total = bytes.reduce((sum, size) => sum + size, 0);
  let done = 0;
  for (const name of names) {
    const reader = readers.get(name) ?? new LedgerReader(fs, layout, name);
    readers.set(name, reader);
    try {
      for (const read of reader.read(onUlid)) {
        done += read;
        await pass.pace.worked("ledger", Math.min(done, total), total);
      }
    } catch (error) {
      pass.unreadable(name, error);
    }
  }
  pass.pace.finished("ledger");
}
