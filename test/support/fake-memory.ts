/**
 * A `Memory` that keeps everything in a Map: for tests of what stands above the memory. It follows
 * the interface's words, not the real implementation's, and is no measure of durability.
 */
import { monotonicFactory } from "ulid";
import { MemspoolError, reportError } from "../../src/errors.ts";
import { refuseTooMuch } from "../../src/memory/capture.ts";
import type {
  AuditEntryView,
  AuditPage,
  CaptureFailure,
  CaptureInput,
  FlightReport,
  FlushInput,
  FlushResult,
  ForgetInput,
  ForgetResult,
  GetInput,
  GetResult,
  HealthReport,
  Memory,
  Page,
  PendingEntryView,
  QuarantineEntryView,
  Receipt,
  ReceiptResult,
  RecentInput,
  RecentResult,
  RecordSummary,
  RetryInput,
  RetryResult,
  SearchInput,
  SearchResult,
  StatusReport,
} from "../../src/memory/memory.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import { type MemoryRecord, parseRecord } from "../../src/record/memory-record.ts";

interface Kept {
  receipt: Receipt;
  record: MemoryRecord;
}

export class FakeMemory implements Memory {
  readonly kept = new Map<string, Kept>();
  /** Names of the operations that were called, in order. */
  readonly calls: string[] = [];
  quarantine: QuarantineEntryView[] = [];
  /** Newest first. */
  audit: AuditEntryView[] = [];
  statusReport: StatusReport = okStatus();
  /** Newest first. */
  flight: FlightReport = {
    started_at: "2026-01-01T00:00:00.000Z",
    dropped: 0,
    signals: [],
    snapshots: [],
  };
  /** Thrown by the next operations, until taken away. */
  failure: unknown;
  /** Awaited by every capture, so that a test can hold one in flight. */
  gate: Promise<void> = Promise.resolve();
  /** Awaited by every flush, which gives up when its signal is aborted. */
  flushGate: Promise<void> = Promise.resolve();
  /** How the last flush ended: `done`, or its error's code. */
  flushEnded: Promise<string> = Promise.resolve("");
  readonly #listeners = new Set<() => void>();
  readonly #newUlid = monotonicFactory();

  get listenerCount(): number {
    return this.#listeners.size;
  }

  change(): void {
    for (const listener of this.#listeners) listener();
  }

  async capture(input: CaptureInput): Promise<Receipt> {
    this.#called("capture");
    const { retry_ulid, ...fields } = input;
    const record = parseRecord(fields);
    await this.gate;
    const receipt: Receipt = {
      ulid: retry_ulid ?? this.#newUlid(),
      sha256: textSha256(record.surface),
      state: "pending",
      appended_at: new Date(0).toISOString(),
    };
    this.kept.set(receipt.ulid, { receipt, record });
    return receipt;
  }

  async captureBatch(inputs: readonly unknown[]): Promise<(Receipt | CaptureFailure)[]> {
    this.#called("captureBatch");
    refuseTooMuch(inputs);
    return Promise.all(
      inputs.map(async (input) => {
        try {
          return await this.capture(parseRecord(input));
        } catch (error) {
          const { code, message, retryable } = reportError(error);
          return { error: { code, message, retryable, stored: "no" as const } };
        }
      }),
    );
  }

  async search(input: SearchInput): Promise<SearchResult> {
    this.#called("search");
    const all = this.#summaries().filter(({ ulid }) =>
      this.#kept(ulid).record.surface.includes(input.query),
    );
    const { entries, next_cursor } = pageOf(all, input.limit, input.cursor);
    const results = entries.map((entry, index) => ({ ...entry, score: 1 / (index + 1) }));
    return next_cursor === undefined ? { results } : { results, next_cursor };
  }

  async get({ ulid, offset = 0, length = 16_000 }: GetInput): Promise<GetResult> {
    this.#called("get");
    const { receipt, record } = this.#kept(ulid);
    const surface = record.surface.slice(offset, offset + length);
    const end = offset + surface.length;
    return {
      record: { ...record, ...receipt, surface },
      total_chars: record.surface.length,
      ...(end < record.surface.length && { next_offset: end }),
    };
  }

  async recent(input: RecentInput): Promise<RecentResult> {
    this.#called("recent");
    const all = this.#summaries().filter(
      ({ session_id }) => input.session_id === undefined || input.session_id === session_id,
    );
    if (input.list !== undefined && input.list !== "records") {
      return {
        names: [{ name: input.list, count: all.length, last_at: new Date(0).toISOString() }],
      };
    }
    if (input.order !== "oldest") all.reverse();
    const { entries, next_cursor } = pageOf(all, input.limit, input.cursor);
    return next_cursor === undefined ? { records: entries } : { records: entries, next_cursor };
  }

  async receipt(ulid: string): Promise<ReceiptResult> {
    this.#called("receipt");
    return this.kept.get(ulid)?.receipt ?? { ulid, state: "unknown" };
  }

  async status(): Promise<StatusReport> {
    this.#called("status");
    return this.statusReport;
  }

  async health(): Promise<HealthReport> {
    this.#called("health");
    return { status: "ok", checks: [{ name: "write", status: "ok", detail: "written" }] };
  }

  async events({ limit = 20 }: { limit?: number }): Promise<FlightReport> {
    this.#called("events");
    const { signals, snapshots, ...rest } = this.flight;
    return { ...rest, signals: signals.slice(0, limit), snapshots: snapshots.slice(0, limit) };
  }

  async pending(page: { limit?: number; cursor?: string }): Promise<Page<PendingEntryView>> {
    this.#called("pending");
    const all = [...this.kept.values()].map(({ receipt: { ulid, appended_at } }) => ({
      ulid,
      appended_at,
      bytes: 100,
      marked: false,
    }));
    return pageOf(all, page.limit, page.cursor);
  }

  async quarantined(page: { limit?: number; cursor?: string }): Promise<Page<QuarantineEntryView>> {
    this.#called("quarantined");
    return pageOf(this.quarantine, page.limit, page.cursor);
  }

  async audited(page: { limit?: number; cursor?: string }): Promise<AuditPage> {
    this.#called("audited");
    const none = { files: 0, bytes: 0, spilled: 0, dropped: 0, damaged: 0 };
    const totals = { ...none, files: 1, spilled: this.audit.length };
    return {
      ...pageOf(this.audit, page.limit, page.cursor),
      totals: { ...totals, deleted: { ...none, incomplete: false } },
    };
  }

  async retry(input: RetryInput): Promise<RetryResult> {
    this.#called("retry");
    const { ulid, limit = this.quarantine.length } = input;
    const wanted = this.quarantine.filter((entry) => ulid === undefined || entry.ulid === ulid);
    if (ulid !== undefined && wanted.length === 0) {
      throw new MemspoolError("NOT_FOUND", `Nothing of ${ulid} is in quarantine.`);
    }
    const looked = wanted.slice(0, limit);
    // What was damaged stays, as it does in the real one.
    const stays = (code: string) => code.startsWith("ENVELOPE_");
    this.quarantine = this.quarantine.filter(
      (entry) => !looked.includes(entry) || stays(entry.code),
    );
    const outcomes = looked.map(({ ulid, code, message }) =>
      stays(code)
        ? { ulid, state: "quarantined" as const, error: { code, message } }
        : { ulid, state: "pending" as const },
    );
    const returned = outcomes.filter(({ state }) => state === "pending").length;
    input.onProgress?.({ done: looked.length, total: wanted.length });
    return { returned, outcomes, remaining: wanted.length - looked.length };
  }

  async flush({ signal, onProgress }: FlushInput): Promise<FlushResult> {
    this.#called("flush");
    const total = this.kept.size;
    for (let drained = 1; drained <= total; drained++) onProgress?.({ drained, total });
    const cancelled = new Promise<never>((_resolve, reject) => {
      const cancel = () => reject(new MemspoolError("FLUSH_CANCELLED", "The flush was cancelled."));
      if (signal?.aborted) cancel();
      signal?.addEventListener("abort", cancel);
    });
    cancelled.catch(() => {});
    const waited = Promise.race([this.flushGate, cancelled]);
    this.flushEnded = waited.then(
      () => "done",
      (error: unknown) => reportError(error).code,
    );
    await waited;
    return { drained: total, remaining: 0, ms: 1 };
  }

  async forget({ ulid = "", confirm, dry_run }: ForgetInput): Promise<ForgetResult> {
    this.#called("forget");
    this.#kept(ulid);
    const found = { count: 1, ulids: [ulid], remains: { backups: [], old_stores: [] } };
    if (dry_run === true || confirm === undefined) {
      return { state: "dry_run", ...found, confirm: `1-${ulid}` };
    }
    if (confirm !== `1-${ulid}`) throw new MemspoolError("CONFIRM_INVALID", "Another token.");
    this.kept.delete(ulid);
    return { state: "forgotten", ...found, request: this.#newUlid() };
  }

  onChange(listener: () => void): () => void {
    this.calls.push("onChange");
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #called(name: string): void {
    this.calls.push(name);
    if (this.failure !== undefined) throw this.failure;
  }

  #kept(ulid: string): Kept {
    const found = this.kept.get(ulid);
    if (found !== undefined) return found;
    throw new MemspoolError("NOT_FOUND", `There is no record ${ulid}.`, { details: { ulid } });
  }

  #summaries(): RecordSummary[] {
    return [...this.kept.values()].map(({ receipt, record }) => ({
      ulid: receipt.ulid,
      at: receipt.appended_at,
      ...(record.session_id !== undefined && { session_id: record.session_id }),
      ...(record.tags !== undefined && { tags: record.tags }),
      tier: record.tier ?? "episodic",
      snippet: record.surface.slice(0, 320),
      total_chars: record.surface.length,
      state: "pending" as const,
    }));
  }
}

/** A memory that must not be touched: every member throws. */
export function untouchableMemory(): Memory {
  return new Proxy({} as Memory, {
    get: (_target, name) => {
      throw new Error(`memory.${String(name)} was touched`);
    },
  });
}

function pageOf<Entry>(all: readonly Entry[], limit = 20, cursor = "0"): Page<Entry> {
  const start = Number(cursor);
  if (!Number.isInteger(start)) throw new MemspoolError("CURSOR_INVALID", "Not a cursor of ours.");
  const entries = all.slice(start, start + limit);
  const end = start + entries.length;
  const page = { total: all.length, entries };
  return end < all.length ? { ...page, next_cursor: String(end) } : page;
}

const NO_BYTES: StatusReport["spool_bytes"] = {
  used: 0,
  quota: 536_870_912,
  pending: 0,
  spilled: 0,
  done: 0,
  trimmable: 0,
  temp: 0,
  quarantine: 0,
  free: 1_073_741_824,
  free_inodes: null,
  measured_ms_ago: 5,
};
const NO_PRESSURE: StatusReport["pressure"] = {
  state: "normal",
  reason: "",
  since: null,
  waiting: 0,
  delayed: 0,
  refused: { quota: 0, early_drop: 0, memory: 0 },
  memory: { level: "normal", rss_bytes: null, limit_bytes: null, source: null },
  stalls: { known: false, cpu: 0, memory: 0, io: 0 },
  loop_delay_ms: 0,
  governor: { state: "normal", share_pct: 100, since: null, cause: null },
  ack_ms: { p50: 0, p99: 0 },
};

export function okStatus(): StatusReport {
  return {
    version: "0.0.0",
    pid: 1,
    started_at: "2026-01-01T00:00:00.000Z",
    now: "2026-01-01T00:00:01.000Z",
    state: "ok",
    reasons: [],
    data_dir: "/data",
    project: "",
    spool: {
      quota_mb: 512,
      used_mb: 0,
      soft_pct: 90,
      hard_pct: 100,
      state: "normal",
      dropped_batches: 0,
    },
    spool_bytes: NO_BYTES,
    pressure: NO_PRESSURE,
    queue: {
      depth: 0,
      bytes: 0,
      oldest_age_ms: null,
      age_histogram: [],
      quarantined: 0,
      spilled: 0,
      forgetting: 0,
      oldest_forgetting_age_ms: null,
      max_records: 10_000,
      overflow: "spill",
    },
    counters: { captured: 0, capture_failures: 0, ingested: 0, duplicates: 0, quarantined: 0 },
    ingester: {
      leader: null,
      this_process_leads: false,
      last_batch: null,
      lag_ms: 0,
      delayed: null,
    },
    ingest_rate: 0,
    store: { kind: "sqlite", state: "unopened", records: null, bytes: null, error: null },
    events: [],
    hooks: {
      captured: 0,
      ignored: 0,
      failures: 0,
      last_captured_at: null,
      last_failure_at: null,
      last_failure_code: null,
    },
    privacy: { private_spans: false, secrets: false, patterns: 0 },
    retention: { on: false, days: 0, projects: 0, forgotten: 0 },
  };
}
