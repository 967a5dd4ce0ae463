import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { openStore } from "../../src/store/open-store.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";
import { freshStoreFile } from "./open-sqlite.ts";

it("L1: opening says so, and whether the database was made", async () => {
  const file = freshStoreFile();
  for (const created of [true, false]) {
    const events = new RecordedEvents();
    const store = await openStore({ file, events });
    onTestFinished(() => store.close());
    const { engineVersion } = await store.stats();
    expect(events.all).toEqual([
      {
        event: "store_opened",
        fields: { kind: "sqlite", engine_version: engineVersion, created },
      },
    ]);
  }
});

it("S2: a reader that comes before any writer makes the store, and sees what is written then", async () => {
  const file = freshStoreFile();
  const reader = await openStore({ file, readOnly: true });
  onTestFinished(() => reader.close());
  expect(await reader.stats()).toMatchObject({ records: 0 });
  const writer = await openStore({ file });
  onTestFinished(() => writer.close());
  await writer.commitBatch([itemOf(1)]);
  expect((await reader.get(idOf(1)))?.ulid).toBe(idOf(1));
});

it("S1: a file URL leads to the file, another scheme is refused by name", async () => {
  const file = freshStoreFile();
  const store = await openStore({ url: pathToFileURL(file).href });
  await store.close();
  expect(existsSync(file)).toBe(true);
  for (const [url, scheme] of [
    ["mysql://user:secret@host/db", "mysql"],
    ["nonsense", "none"],
  ] as const) {
    await expect(openStore({ url })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      details: { scheme },
      message: expect.not.stringContaining("secret"),
    });
  }
});

it("S1: ingested_at is the time of the commit", async () => {
  const clock = new ManualClock();
  const store = await openStore({ file: freshStoreFile(), clock });
  onTestFinished(() => store.close());
  await store.commitBatch([itemOf(1)]);
  expect((await store.get(idOf(1)))?.ingestedAt).toBe(new Date(clock.nowMs()).toISOString());
});

it("S2: a closed writer leaves everything in the database file and an empty log", async () => {
  const file = freshStoreFile();
  const store = await openStore({ file });
  await store.commitBatch(Array.from({ length: 100 }, (_, n) => itemOf(n)));
  await store.close();
  const copy = freshStoreFile();
  mkdirSync(dirname(copy));
  copyFileSync(file, copy);
  const copied = await openStore({ file: copy, readOnly: true });
  onTestFinished(() => copied.close());
  expect(await copied.stats()).toMatchObject({ records: 100 });
});
