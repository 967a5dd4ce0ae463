import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Purger } from "../../src/ingest/purger.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { envelopeOnLine, readMembers } from "../../src/queue/archive-file.ts";
import { encodeMember } from "../../src/queue/archive-member.ts";
import { Claims } from "../../src/queue/claim.ts";
import { DoneArchive } from "../../src/queue/done-archive.ts";
import { listOrders, type OrderFile, placeOrder } from "../../src/queue/forget-order.ts";
import { markPath, tempPath } from "../../src/queue/layout.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { encodeSegment } from "../../src/queue/spill-segment.ts";
import { generateUlid } from "../../src/record/record-id.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { filesWith, marked, setAside, spill } from "../support/forget-bench.ts";
import { IngestBench } from "../support/ingest-bench.ts";

const MARK = "zqmark";
/** Without its first letter: the index leaves out what a term shares with the one before it. */
const SOUGHT = "qmark";
const fs = nodeDurableFsSync;

class Scene {
  readonly bench = new IngestBench();
  readonly layout = this.bench.layout;
  #store: Promise<MemoryStore> | undefined;

  store(): Promise<MemoryStore> {
    this.#store ??= this.bench.openSqlite();
    return this.#store;
  }

  async capture(...records: Parameters<IngestBench["queue"]["append"]>[0][]): Promise<string[]> {
    const ulids: string[] = [];
    for (const record of records) ulids.push((await this.bench.queue.append(record)).ulid);
    return ulids;
  }

  /** What is pending goes into store and archive. */
  async ingest(): Promise<void> {
    const ingester = this.bench.ingester({ openStore: () => this.bench.openSqlite() });
    await ingester.drain({ dueOrNot: true });
    await ingester.stop();
  }

  order(...ulids: string[]): OrderFile {
    const at = new Date().toISOString();
    const order = { request: generateUlid(), at, reason: "requested", ulids };
    placeOrder(fs, this.layout, order);
    return order;
  }

  purger(memory = newMarkMemory()): Purger {
    const { clock, events, layout } = this.bench;
    const claims = new Claims(fs, layout, clock, memory);
    return new Purger({ fs, layout, clock, events, claims });
  }

  run(purger = this.purger()) {
    return purger.run({ openStore: () => this.store(), isStopping: () => false });
  }

  /** Ids that can be read in the done archive. */
  archived(): string[] {
    return readdirSync(this.layout.doneDir).flatMap((name) => {
      const path = join(this.layout.doneDir, name);
      const members = [...readMembers(fs, path, { onSkipped: () => {} })];
      return members.flatMap(({ lines }) => lines.map((line) => envelopeOnLine(line)?.ulid ?? "?"));
    });
  }

  left(): string[] {
    return filesWith(this.bench.home, SOUGHT).map((path) => path.slice(this.bench.home.length + 1));
  }
}

async function scene(): Promise<Scene> {
  const made = new Scene();
  onTestFinished(async () => {
    await made.bench.queue.close();
    await (await made.store()).close();
  });
  return made;
}

describe("content is gone from every file", () => {
  it("S6: of records that lie in store, archive, spill, queue and quarantine", async () => {
    const at = await scene();
    const [stored = "", kept = ""] = await at.capture(marked(`${MARK}a`), { surface: "stays a" });
    await at.ingest();
    const [spilled = "", spilledToo = ""] = await at.capture(marked(`${MARK}b`), {
      surface: "stays b",
    });
    const [first = "", bad = "", held = ""] = await at.capture(
      marked(`${MARK}c`),
      marked(`${MARK}d`),
      { surface: "stays c" },
    );
    spill(at.bench, spilled, spilledToo);
    setAside(at.bench, bad);
    writeFileSync(markPath(at.layout, "01JQ7Z8X9YABCDEFGHJKMNPQRS"), "{}");
    const places = new Set(at.left().map((path) => path.split("/").slice(0, 2).join("/")));
    for (const place of ["done", "overflow", "quarantine", `pending-${first}.json`]) {
      expect(places).toContain(`queue/${place}`);
    }
    expect([...places].join()).toContain("store/memspool.db");
    at.order(stored, spilled, first, bad);
    expect(await at.run()).toEqual({ settled: 1, left: 0 });
    expect(at.left()).toEqual([]);
    expect(readdirSync(at.layout.quarantineDir)).toEqual([]);
    expect(at.archived()).toEqual([kept]);
    await at.ingest();
    const store = await at.store();
    for (const ulid of [kept, spilledToo, held]) {
      expect((await store.get(ulid))?.ulid).toBe(ulid);
    }
    expect(at.left()).toEqual([]);
  });

  it("S6: of an alias, whichever of the ids is named, and of repetitions in quarantine", async () => {
    const at = await scene();
    const [, alias = ""] = await at.capture(marked(MARK), marked(MARK));
    await at.ingest();
    expect(at.archived()).toHaveLength(2);
    const [again = ""] = await at.capture(marked(MARK));
    setAside(at.bench, again);
    at.order(alias);
    await at.run();
    expect(at.left()).toEqual([]);
    expect((await (await at.store()).lookup([again])).get(again)?.state).toBe("forgotten");
  });

  it("S6: of what dying writers left: temp files, torn members, segments set aside", async () => {
    const at = await scene();
    const [ulid = "", other = ""] = await at.capture(marked(MARK), { surface: "stays" });
    const [bytes, otherBytes] = [at.bench.bytesOf(ulid), at.bench.bytesOf(other)];
    writeFileSync(tempPath(at.layout, ulid), bytes.subarray(0, bytes.length - 20));
    writeFileSync(tempPath(at.layout, other), encodeSegment([otherBytes, bytes]));
    const segment = spill(at.bench, ulid, other);
    const asideName = join(at.layout.quarantineDir, segment);
    writeFileSync(asideName, readFileSync(join(at.layout.overflowDir, segment)));
    const torn = join(at.layout.doneDir, "20990101-00-torn.ndjson.gz");
    const member = encodeMember([bytes]);
    writeFileSync(
      torn,
      Buffer.concat([member.subarray(0, member.length - 30), encodeMember([otherBytes])]),
    );
    at.order(ulid);
    await at.run();
    expect(at.left()).toEqual([]);
    expect(at.archived()).toEqual([other]);
    const members = [...readMembers(fs, asideName, { onSkipped: () => {} })];
    expect(members.flatMap(({ lines }) => lines)).toEqual([otherBytes]);
  });

  it("S6: damage that can not be theirs stays for a rescue", async () => {
    const at = await scene();
    const [ulid = "", other = ""] = await at.capture(marked(MARK), { surface: "stays" });
    const file = join(at.layout.doneDir, "20990101-00-torn.ndjson.gz");
    const theirs = encodeMember([at.bench.bytesOf(other)]).subarray(0, -9);
    writeFileSync(file, Buffer.concat([theirs, encodeMember([at.bench.bytesOf(ulid)])]));
    at.order(ulid);
    await at.run();
    expect(readFileSync(file)).toEqual(theirs);
  });
});

describe("an order that can not be carried out now", () => {
  it("S6: waits for a record that another process holds, and goes on when it lets go", async () => {
    const at = await scene();
    const [ulid = ""] = await at.capture(marked(MARK));
    const holder = new Claims(fs, at.layout, at.bench.clock, newMarkMemory());
    const claim = holder.take(ulid);
    at.order(ulid);
    const purger = at.purger();
    expect(await at.run(purger)).toEqual({ settled: 0, left: 1 });
    expect(existsSync(join(at.layout.dir, `pending-${ulid}.json`))).toBe(true);
    claim?.release();
    expect(await at.run(purger)).toEqual({ settled: 1, left: 0 });
    expect(at.left()).toEqual([]);
  });

  it("S6: does nothing by an order that is damaged, and says so once", async () => {
    const at = await scene();
    const [ulid = ""] = await at.capture(marked(MARK));
    const { request } = at.order(ulid);
    const path = join(at.layout.forgetDir, `${request}.json`);
    truncateSync(path, 40);
    expect(await at.run()).toEqual({ settled: 0, left: 0 });
    expect(at.bench.events.named("forget_order_damaged")).toHaveLength(1);
    await at.ingest();
    expect((await (await at.store()).get(ulid))?.ulid).toBe(ulid);
  });

  it("S6: a file that can not be read delays it, with an event, and the next run ends it", async () => {
    const at = await scene();
    const [ulid = ""] = await at.capture(marked(MARK));
    await at.ingest();
    at.order(ulid);
    const { clock, events, layout } = at.bench;
    const claims = new Claims(fs, layout, clock, newMarkMemory());
    const failing = {
      ...fs,
      rename: () => {
        throw Object.assign(new Error("EIO"), { code: "EIO" });
      },
      unlink: (path: string) => {
        if (path.startsWith(layout.doneDir)) throw Object.assign(new Error("EIO"), { code: "EIO" });
        fs.unlink(path);
      },
    };
    const purger = new Purger({ fs: failing, layout, clock, events, claims });
    expect(await at.run(purger)).toEqual({ settled: 0, left: 1 });
    expect(events.named("forget_delayed")).toMatchObject([{ errno: "EIO", orders: 1 }]);
    expect(await at.run()).toEqual({ settled: 1, left: 0 });
    expect(at.left()).toEqual([]);
  });
});

describe("what comes afterwards", () => {
  it("S6: a forgotten record that is brought again is not taken in, archived or kept", async () => {
    const at = await scene();
    const [ulid = ""] = await at.capture(marked(MARK), { surface: "stays" });
    const bytes = at.bench.bytesOf(ulid);
    await at.ingest();
    at.order(ulid);
    await at.run();
    // Its file comes back, as after a power cut or from a backup; and the same turn under a new id.
    writeFileSync(join(at.layout.dir, `pending-${ulid}.json`), bytes);
    const [renewed = ""] = await at.capture(marked(MARK));
    await at.ingest();
    expect(at.left()).toEqual([]);
    expect(at.bench.events.named("replays_refused")).toEqual([{ count: 2 }]);
    expect((await (await at.store()).lookup([renewed])).get(renewed)?.state).toBe("forgotten");
    expect(at.bench.pending()).toEqual([]);
  });

  it("S6: a spilled one goes with its segment", async () => {
    const at = await scene();
    const [ulid = "", other = ""] = await at.capture(marked(MARK), { surface: "stays" });
    at.order(ulid);
    const one = at.bench.bytesOf(ulid);
    await at.run();
    writeFileSync(join(at.layout.dir, `pending-${ulid}.json`), one);
    spill(at.bench, ulid, other);
    await at.ingest();
    expect(at.left()).toEqual([]);
    expect(readdirSync(at.layout.overflowDir)).toEqual([]);
    expect((await (await at.store()).get(other))?.ulid).toBe(other);
  });

  it("S6: a writer that was stopped before it looked at its name loses nothing", async () => {
    const at = await scene();
    const [ulid = "", later = ""] = await at.capture(marked(MARK), { surface: "stays" });
    const archive = new DoneArchive(fs, at.layout, at.bench.clock);
    onTestFinished(() => archive.close());
    archive.append([at.bench.bytesOf(ulid)]);
    at.order(ulid);
    await at.run();
    archive.append([at.bench.bytesOf(later)]);
    expect(at.archived()).toEqual([later]);
  });

  it("S6: several orders are carried out at once, and their files stay as tombstones", async () => {
    const at = await scene();
    const ulids = await at.capture(marked(`${MARK}a`), marked(`${MARK}b`));
    const orders = ulids.map((ulid) => at.order(ulid));
    expect(await at.run()).toEqual({ settled: 2, left: 0 });
    expect(listOrders(fs, at.layout.forgetDir)).toEqual([]);
    const done = listOrders(fs, at.layout.forgottenDir);
    expect(done).toEqual(orders.map(({ request }) => request));
    expect(at.left()).toEqual([]);
  });

  it("S6: a pending repetition of a pending record is refused once its twin was forgotten", async () => {
    const at = await scene();
    const [first, second] = await at.capture(marked(`${MARK}same`), marked(`${MARK}same`));
    at.order(first as string);
    await at.run();
    await at.ingest();
    const store = await at.store();
    expect((await store.lookup([second as string])).get(second as string)?.state).toBe("forgotten");
    expect(at.left()).toEqual([]);
  });
});
