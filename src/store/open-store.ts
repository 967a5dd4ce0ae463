/**
 * From a location to a store, loading the implementation that it needs and no other.
 */
import { fileURLToPath } from "node:url";
import { MemspoolError } from "../errors.ts";
import { type Events, silentEvents } from "../events/catalogue.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import type { MemoryStore } from "./memory-store.ts";

/** Where the store is: a file, or a URL (`file:` for now). */
export type StoreLocation =
  | { readonly file: string; readonly url?: undefined }
  | { readonly url: string; readonly file?: undefined };

export type OpenStoreOptions = StoreLocation & {
  /** Makes database and tables if there are none, like any other, and then only answers questions. */
  readonly readOnly?: boolean;
  readonly events?: Events;
  readonly clock?: Clock;
};

/**
 * Opens the store and brings it to this program's schema. Emits `store_opened`.
 * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW, UNSAFE_PATH, CONFIG_INVALID
 */
export async function openStore(options: OpenStoreOptions): Promise<MemoryStore> {
  const file = options.file ?? fileOf(options.url);
  const { SqliteStore } = await import("./sqlite/sqlite-store.ts");
  return await SqliteStore.open({
    file,
    readOnly: options.readOnly ?? false,
    events: options.events ?? silentEvents,
    clock: options.clock ?? systemClock,
  });
}

function fileOf(url: string): string {
  if (url.startsWith("file:")) return fileURLToPath(url);
  const scheme = /^[a-z][a-z0-9+.-]*(?=:)/i.exec(url)?.[0] ?? "none";
  throw new MemspoolError(
    "CONFIG_INVALID",
    `The store's URL has the scheme "${scheme}"; this memspool knows "file". Give a file: URL.`,
    { details: { scheme } },
  );
}
