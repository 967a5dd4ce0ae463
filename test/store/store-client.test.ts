import { describe, expect, it, onTestFinished, vi } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { silentEvents } from "../../src/events/catalogue.ts";
import type { StoreReader } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { StoreClient, type StoreClientLimits } from "../../src/store/store-client.ts";
import type { StoreMethod } from "../../src/store/store-protocol.ts";
import { HOSTILE_STRINGS, idOf, itemOf } from "../contract/store-bench.ts";
import { type ChannelWorkers, channelWorkers, fakeReader } from "./channel-worker.ts";
import { freshStoreFile } from "./open-sqlite.ts";

function clientOf(workers: ChannelWorkers, limits: Partial<StoreClientLimits> = {}): StoreClient {
  const client = new StoreClient({ startWorker: workers.start, events: silentEvents, limits });
  onTestFinished(() => client.close());
  return client;
}

const away = (reason: string) =>
  expect.objectContaining({ code: "STORE_UNAVAILABLE", retryable: true, details: { reason } });

/** Never answers. */
const silence = () => new Promise(() => {});

describe("calls", () => {
  it("S1: every question of a reader is answered as by the store itself", async () => {
    const file = freshStoreFile();
    const store = await openStore({ file });
    onTestFinished(() => store.close());
    await store.commitBatch(
      Object.values(HOSTILE_STRINGS).map((surface, n) => itemOf(n, { surface, tags: [surface] })),
    );
    const client = clientOf(channelWorkers(() => openStore({ file, readOnly: true })));
    const questions: { [M in StoreMethod]: (of: StoreReader) => Promise<unknown> } = {
      get: (of) => of.get(idOf(10)),
      lookup: (of) => of.lookup([idOf(1), idOf(99)]),
      sameRecords: (of) => of.sameRecords([idOf(1), idOf(99)]),
      matching: (of) => of.matching({ filter: {}, countMax: 5 }),
      candidates: (of) => of.candidates({ terms: ["a"], filter: {}, countMax: 50 }),
      neighbours: (of) => of.neighbours({ ulids: [idOf(1)], before: 2, behind: 2 }),
      spellings: (of) => of.spellings(["needel"]),
      timeline: (of) => of.timeline({ filter: { projects: [""] }, limit: 50, order: "oldest" }),
      facets: (of) => of.facets("tags", {}, 50),
      stats: (of) => of.stats(),
      check: (of) => of.check(),
      auditRows: (of) => of.auditRows({ limit: 50, hashes: true }),
      auditCounts: (of) => of.auditCounts(),
      auditIndex: (of) => of.auditIndex({ of: 1, first: 0, count: 50 }),
    };
    for (const [name, ask] of Object.entries(questions)) {
      expect(await ask(client), name).toEqual(await ask(store));
    }
    expect((await client.get(idOf(99)))?.record).toBeUndefined();
    expect((await client.lookup([idOf(1)])).get(idOf(1))?.state).toBe("ingested");
  });

  it("S2: starts no worker before the first call, and one for all", async () => {
    const workers = channelWorkers(async () => fakeReader((ulid) => ulid));
    const client = clientOf(workers);
    expect(workers.started()).toBe(0);
    expect(await Promise.all(["A", "B"].map((ulid) => client.get(ulid)))).toEqual(["A", "B"]);
    expect(await client.get("C")).toBe("C");
    expect(workers.started()).toBe(1);
  });

  it("S2: hands over a bounded number of calls, the others wait their turn", async () => {
    const answers: ((value: string) => void)[] = [];
    let asked = 0;
    const reader = fakeReader(() => {
      asked++;
      return new Promise((resolve) => answers.push(resolve as never));
    });
    const workers = channelWorkers(async () => reader);
    const client = clientOf(workers, { inFlightMax: 2, waitingMax: 2 });
    const calls = ["A", "B", "C", "D"].map((ulid) => client.get(ulid));
    await expect(client.get("E")).rejects.toEqual(away("too_many_calls"));
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    answers.forEach((answer) => void answer("first"));
    await vi.waitFor(() => expect(asked).toBe(4));
    answers.forEach((answer) => void answer("second"));
    expect(await Promise.all(calls)).toEqual(["first", "first", "second", "second"]);
  });

  it("X1: what is not a question of a reader is refused on the other side", async () => {
    const reader = { ...fakeReader(() => 1), commitBatch: async () => "written" };
    const workers = channelWorkers(async () => reader);
    const replies: unknown[] = [];
    const worker = workers.start({ onReply: (reply) => replies.push(reply), onEnd: () => {} });
    for (const method of ["commitBatch", "close", "constructor"]) {
      worker.post({ kind: "call", id: 1, method: method as StoreMethod, args: [[]] });
    }
    await vi.waitFor(() => expect(replies).toHaveLength(3));
    for (const reply of replies) {
      expect(reply).toMatchObject({ kind: "error", report: { code: "INTERNAL" } });
    }
    await worker.end(100);
    expect(reader.closed).toBe(0);
  });

  it("L1: events of the other side are emitted on this one", async () => {
    const emitted: unknown[] = [];
    const client = new StoreClient({
      startWorker: ({ onReply }) => ({
        post: () => {
          onReply({ kind: "event", event: "store_missing", fields: { advice: "look" } });
          onReply({ kind: "value", id: 1, value: undefined });
        },
        end: async () => {},
      }),
      events: { emit: (event, fields) => void emitted.push({ event, fields }) },
    });
    await client.get("A");
    expect(emitted).toEqual([{ event: "store_missing", fields: { advice: "look" } }]);
    await client.close();
  });
});

describe("failures", () => {
  it("I8: a store that can not be opened fails each call, and is tried again by the next", async () => {
    let attempts = 0;
    const workers = channelWorkers(async () => {
      attempts++;
      if (attempts < 3) {
        throw new MemspoolError("STORE_UNAVAILABLE", "away", { details: { reason: "full" } });
      }
      return fakeReader(() => "found");
    });
    const client = clientOf(workers);
    await expect(client.get("A")).rejects.toEqual(away("full"));
    await expect(client.get("A")).rejects.toEqual(away("full"));
    expect(await client.get("A")).toBe("found");
    expect(workers.started()).toBe(1);
  });

  it("I8: an error arrives with its code, and a mistake's text does not arrive", async () => {
    const reader = fakeReader((ulid) => {
      if (ulid === "A") throw new MemspoolError("STORE_TOO_NEW", "newer", { details: { v: 9 } });
      throw new TypeError("a secret");
    });
    const client = clientOf(channelWorkers(async () => reader));
    await expect(client.get("A")).rejects.toMatchObject({
      code: "STORE_TOO_NEW",
      message: "newer",
      details: { v: 9 },
    });
    await expect(client.get("B")).rejects.toMatchObject({
      code: "INTERNAL",
      message: expect.not.stringContaining("secret"),
    });
  });

  it("I8: a worker that dies fails what it had in hand, and the next call has a new one", async () => {
    let answer: () => unknown = silence;
    const workers = channelWorkers(async () => fakeReader(() => answer()));
    const client = clientOf(workers, { inFlightMax: 1 });
    const inHand = client.get("A");
    const waiting = client.get("B");
    answer = () => "found";
    workers.crash(new Error("out of memory"));
    await expect(inHand).rejects.toEqual(away("worker_ended"));
    expect(await waiting).toBe("found");
    expect(await client.get("C")).toBe("found");
    expect(workers.started()).toBe(2);
  });

  it("I8: a worker that can not be started fails the call, not the process", async () => {
    const startWorker = () => {
      throw new Error("no threads left");
    };
    const client = new StoreClient({ startWorker, events: silentEvents });
    await expect(client.get("A")).rejects.toEqual(away("worker_failed"));
    await expect(client.get("B")).rejects.toEqual(away("worker_failed"));
    await client.close();
  });

  it("I8: a call that takes too long fails, and its worker is replaced", async () => {
    let answer: () => unknown = silence;
    const workers = channelWorkers(async () => fakeReader(() => answer()));
    const client = clientOf(workers, { callTimeMs: 30, inFlightMax: 2 });
    const calls = ["A", "B", "C"].map((ulid) => client.get(ulid));
    const outcomes = (await Promise.allSettled(calls)) as PromiseRejectedResult[];
    expect(outcomes[0]?.reason).toEqual(away("timed_out"));
    for (const { status, reason } of outcomes) {
      expect(status).toBe("rejected");
      expect(reason.code).toBe("STORE_UNAVAILABLE");
    }
    answer = () => "found";
    expect(await client.get("D")).toBe("found");
    expect(workers.ended()).toBeGreaterThan(0);
  });

  it("I8: a call that has waited too long for a place fails and frees its place", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const posted: number[] = [];
    const client = new StoreClient({
      startWorker: () => ({ post: () => void posted.push(1), end: async () => {} }),
      events: silentEvents,
      limits: { inFlightMax: 1, callTimeMs: 100 },
    });
    const first = expect(client.get("A")).rejects.toEqual(away("timed_out"));
    await vi.advanceTimersByTimeAsync(50);
    const second = expect(client.get("B")).rejects.toEqual(away("timed_out"));
    await vi.advanceTimersByTimeAsync(50);
    await first;
    expect(posted).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(50);
    await second;
    await client.close();
  });
});

describe("the end", () => {
  it("S2: a worker that nobody asked for a while is ended, and started again when needed", async () => {
    const readers: { closed: number }[] = [];
    const workers = channelWorkers(async () => {
      const reader = fakeReader((ulid) => ulid);
      readers.push(reader);
      return reader;
    });
    const client = clientOf(workers, { idleMs: 10 });
    expect(await client.get("A")).toBe("A");
    await vi.waitFor(() => expect(readers[0]?.closed).toBe(1));
    expect(await client.get("B")).toBe("B");
    expect(workers.started()).toBe(2);
  });

  it("S2: a worker with a call in hand is not idle, however long ago the last one ended", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    let ends = 0;
    const client = new StoreClient({
      startWorker: ({ onReply }) => ({
        post: (request) => {
          if (request.kind === "call" && request.id === 1) {
            onReply({ kind: "value", id: 1, value: undefined });
          }
        },
        end: async () => {
          ends++;
        },
      }),
      events: silentEvents,
      limits: { idleMs: 10, callTimeMs: 1_000 },
    });
    await client.get("A");
    await vi.advanceTimersByTimeAsync(9);
    const call = client.get("B").catch(() => "failed");
    await vi.advanceTimersByTimeAsync(900);
    expect(ends).toBe(0);
    await client.close();
    expect(await call).toBe("failed");
    expect(ends).toBe(1);
  });

  it("S2: closing fails what is under way, closes the store, and refuses what comes later", async () => {
    const reader = fakeReader(silence);
    const workers = channelWorkers(async () => reader);
    const client = clientOf(workers, { inFlightMax: 1 });
    const calls = ["A", "B"].map((ulid) =>
      expect(client.get(ulid)).rejects.toEqual(away("closed")),
    );
    await Promise.all([client.close(), client.close()]);
    await Promise.all(calls);
    await expect(client.get("C")).rejects.toEqual(away("closed"));
    expect(workers.started()).toBe(1);
  });

  it("S2: closing a client that was never asked starts nothing", async () => {
    const workers = channelWorkers(async () => fakeReader(() => 1));
    await clientOf(workers).close();
    expect(workers.started()).toBe(0);
  });
});
