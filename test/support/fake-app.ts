/** A stand-in for app.ts that keeps records in an array and notes what was asked of it. */
import type { App } from "../../src/app.ts";
import type { AppModule } from "../../src/cli/command-context.ts";
import { dataPaths } from "../../src/config/data-paths.ts";
import type { Config } from "../../src/config/settings.ts";
import { MemspoolError } from "../../src/errors.ts";
import { silentEvents } from "../../src/events/catalogue.ts";
import type {
  CaptureInput,
  GetResult,
  Memory,
  QuarantineEntryView,
  StatusReport,
} from "../../src/memory/memory.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import { okStatus } from "./fake-memory.ts";

export interface FakeApp extends AppModule {
  readonly captured: CaptureInput[];
  /** Every call of an operation that answers questions, by name, with its input. */
  readonly asked: { name: string; input: unknown }[];
  readonly configs: Config[];
  closed: number;
  /** Replace any operation, or the drain. */
  readonly memory: Partial<Memory>;
  drain: App["drain"];
  forgetHere: App["forget"];
  verify: App["verify"];
  diagnose: App["diagnose"];
  rebuild: App["rebuild"];
  backUp: App["backUp"];
  exportTo: App["exportTo"];
  importFrom: App["importFrom"];
  importTranscripts: App["importTranscripts"];
  quarantine: QuarantineEntryView[];
  serveExit: number;
}

export const ULID = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
const AT = "2026-03-01T09:30:00.000Z";

export function fakeStatus(changes: Partial<StatusReport> = {}): StatusReport {
  return {
    ...okStatus(),
    version: "0.1.0",
    pid: 42,
    started_at: AT,
    now: AT,
    store: { kind: "sqlite", state: "ok", records: 3, bytes: 4_096, error: null },
    ...changes,
  };
}

export function makeFakeApp(): FakeApp {
  const fake: FakeApp = {
    captured: [],
    asked: [],
    configs: [],
    closed: 0,
    memory: {},
    quarantine: [],
    serveExit: 0,
    verify: async () => {
      throw new TypeError("this test replaces verify");
    },
    diagnose: () => Promise.reject(new TypeError("this test replaces diagnose")),
    drain: async () => ({ drained: 0, quarantined: 0, remaining: 0, ms: 1 }),
    forgetHere: async () => {
      const remains = { backups: [], old_stores: [] };
      return { state: "forgotten", count: 1, ulids: [ULID], request: ULID, remains };
    },
    rebuild: () => Promise.reject(new TypeError("no rebuild was made up")),
    backUp: () => Promise.reject(new TypeError("this test replaces backUp")),
    exportTo: () => Promise.reject(new TypeError("this test replaces exportTo")),
    importFrom: () => Promise.reject(new TypeError("this test replaces importFrom")),
    importTranscripts: () => Promise.reject(new TypeError("this test replaces importTranscripts")),
    restore: () => Promise.reject(new TypeError("this test replaces restore")),
    createApp: async (config) => {
      fake.configs.push(config);
      return {
        config,
        paths: dataPaths(config.home),
        memory: { ...makeMemory(fake), ...fake.memory },
        events: silentEvents,
        startFlight: () => {},
        startIngest: () => {},
        startPressure: () => {},
        stopWaiting: () => {},
        stopIngest: async () => {},
        drain: (options) => fake.drain(options),
        forget: (input, options) => {
          fake.asked.push({ name: "forget here", input });
          return fake.forgetHere(input, options);
        },
        rebuild: (options) => fake.rebuild(options),
        backUp: (target, options) => fake.backUp(target, options),
        exportTo: (target, options) => fake.exportTo(target, options),
        importFrom: (source, options) => fake.importFrom(source, options),
        importTranscripts: (roots, options) => fake.importTranscripts(roots, options),
        verify: (options) => fake.verify(options),
        memoryLimit: async () => undefined,
        diagnose: () => fake.diagnose(),
        close: async () => {
          fake.closed++;
        },
      };
    },
    serve: async (config) => {
      fake.configs.push(config);
      return fake.serveExit;
    },
  };
  return fake;
}

function makeMemory(fake: FakeApp): Memory {
  const note = (name: string, input: unknown) => fake.asked.push({ name, input });
  return {
    capture: async (input) => {
      fake.captured.push(input);
      return { ulid: ULID, sha256: textSha256(input.surface), state: "pending", appended_at: AT };
    },
    captureBatch: async () => [],
    search: async (input) => {
      note("search", input);
      return { results: [] };
    },
    get: async ({ ulid, offset = 0, length = 16_000 }): Promise<GetResult> => {
      const record = fake.captured[0];
      if (record === undefined) throw new MemspoolError("NOT_FOUND", "No such record. Search.");
      const { surface } = record;
      const end = offset + length;
      return {
        record: {
          ...record,
          surface: surface.slice(offset, end),
          ulid,
          sha256: textSha256(surface),
          appended_at: AT,
          state: fake.quarantine.length > 0 ? "quarantined" : "ingested",
        },
        total_chars: surface.length,
        ...(end < surface.length && { next_offset: end }),
      };
    },
    recent: async (input) => {
      note("recent", input);
      return { records: [] };
    },
    receipt: async (ulid) => ({ ulid, state: "unknown" }),
    status: async () => fakeStatus(),
    health: async () => ({
      status: "ok",
      checks: [{ name: "store", status: "ok", detail: "synchronous: FULL" }],
    }),
    events: async () => ({ started_at: AT, dropped: 0, signals: [], snapshots: [] }),
    pending: async () => ({ total: 0, entries: [] }),
    quarantined: async ({ limit = 20, cursor = "0" }) => {
      note("quarantined", { limit, cursor });
      const from = Number(cursor);
      const entries = fake.quarantine.slice(from, from + limit);
      const more = from + limit < fake.quarantine.length;
      return {
        total: fake.quarantine.length,
        entries,
        ...(more && { next_cursor: `${from + limit}` }),
      };
    },
    audited: async ({ limit = 20, cursor = "0" }) => {
      note("audited", { limit, cursor });
      const none = { files: 0, bytes: 0, spilled: 0, dropped: 0, damaged: 0 };
      return {
        total: 0,
        entries: [],
        totals: { ...none, deleted: { ...none, incomplete: false } },
      };
    },
    retry: async (input) => {
      note("retry", input);
      const wanted = fake.quarantine.filter(({ ulid }) => [ulid, undefined].includes(input.ulid));
      const outcomes = wanted.map(({ ulid }) => ({ ulid, state: "pending" as const }));
      return { returned: outcomes.length, outcomes, remaining: 0 };
    },
    forget: async (input) => {
      note("forget", input);
      const remains = { backups: [], old_stores: [] };
      const state = input.confirm === undefined ? "dry_run" : "purging";
      return { state, count: 1, ulids: [ULID], confirm: "1-token", request: ULID, remains };
    },
    flush: async () => ({ drained: 0, remaining: 0, ms: 1 }),
    onChange: () => () => {},
  };
}
