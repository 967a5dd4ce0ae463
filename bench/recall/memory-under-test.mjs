// A fresh memspool with a data set in it, built and asked as the server does: the application of
// dist, captures into its queue, a drain into its store, and the search that the MCP tool calls.
import { readdirSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { turnKey } from "./dataset.mjs";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const BATCH_COUNT_MAX = 100;
/** Below the queue's bound, beyond which it would spill. */
const PENDING_COUNT_MAX = 5_000;
const ROLES = new Set(["user", "assistant", "system", "tool"]);
const PROJECT = "recall";

/** A part of the program that dist holds under a name with a hash. */
export async function builtChunk(name) {
  const pattern = new RegExp(`^chunk-${name}-[A-Z0-9]+\\.mjs$`);
  const [file] = readdirSync(DIST).filter((each) => pattern.test(each));
  if (file === undefined) throw new Error(`dist has no chunk ${name}; run npm run build`);
  return import(pathToFileURL(`${DIST}${file}`).href);
}

/** A turn as a client would capture it. The text is handed over as it is. */
export function recordOf({ session, turn, speaker, role, at, text }) {
  return {
    surface: text,
    session_id: session,
    project: PROJECT,
    metadata: { turn },
    ...(speaker === undefined ? {} : { source: speaker }),
    ...(ROLES.has(role) ? { role } : {}),
    ...(at === undefined ? {} : { occurred_at: at }),
  };
}

/**
 * @param home a directory that does not exist yet
 * @returns {Promise<{search(question: string, input: object, limit: number): Promise<string[]>,
 *   close(): Promise<void>}>} search answers with turn keys, best first
 */
export async function openMemory(home, turns) {
  const { createApp } = await builtChunk("app");
  const { loadConfig } = await builtChunk("load-config");
  const { config } = await loadConfig({ env: { HOME: home }, flags: { home, project: PROJECT } });
  const app = await createApp(config);
  const keys = new Map();
  for (let next = 0; next < turns.length; next += PENDING_COUNT_MAX) {
    await captureAndDrain(app, turns.slice(next, next + PENDING_COUNT_MAX), keys);
  }
  return {
    async search(question, input, limit) {
      const { results, store_error } = await app.memory.search({
        ...{ query: question, limit, project: PROJECT },
        ...input,
      });
      if (store_error) throw new Error(`the store failed: ${store_error.message}`);
      return results.map(({ ulid }) => keys.get(ulid));
    },
    close: () => app.close(),
  };
}

/** Adds each record's id and the key of its turn. */
async function captureAndDrain(app, turns, keys) {
  for (let next = 0; next < turns.length; next += BATCH_COUNT_MAX) {
    const batch = turns.slice(next, next + BATCH_COUNT_MAX);
    const outcomes = await app.memory.captureBatch(batch.map(recordOf));
    for (const [index, { ulid, error }] of outcomes.entries()) {
      if (error) throw new Error(`${turnKey(batch[index])} was not captured: ${error.message}`);
      keys.set(ulid, turnKey(batch[index]));
    }
  }
  const { drained, remaining, quarantined } = await app.drain({});
  if (drained !== turns.length || remaining > 0 || quarantined > 0) {
    throw new Error(`${drained} of ${turns.length} turns were drained, ${quarantined} at fault`);
  }
}
