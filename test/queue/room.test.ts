import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { Room, type RoomParts } from "../../src/queue/room.ts";
import { systemError } from "../support/faulty-fs.ts";

/** A queue directory and a ledger in memory, shared by the processes of a test. */
class World {
  readonly pending = new Set<string>();
  readonly pruned: string[] = [];
  lists = 0;
  noted = 0;
  failList: Error | undefined;
  #next = 0;

  room(parts: Partial<RoomParts> = {}): Room {
    return new Room({
      maxRecords: 10,
      policy: "spill",
      ledger: {
        mark: () => ({ noted: 0, hour: "20260301-09", othersBytes: this.noted }),
        countSince: ({ othersBytes }) => this.noted - othersBytes,
      },
      list: async () => {
        this.lists++;
        if (this.failList) throw this.failList;
        return [...this.pending].sort();
      },
      prune: async (candidates, wanted) => {
        const victims = candidates.slice(0, wanted);
        for (const ulid of victims) this.pending.delete(ulid);
        this.pruned.push(...victims);
        return victims.length;
      },
      onRefused: () => {},
      ...parts,
    });
  }

  newId(): string {
    return `id-${String(this.#next++).padStart(6, "0")}`;
  }

  /** One append: a place, a pending record, a line in the ledger, the place back. */
  async append(room: Room): Promise<string> {
    const ulid = this.newId();
    await room.take(ulid);
    this.pending.add(ulid);
    this.noted++;
    room.done(ulid, "noted");
    return ulid;
  }
}

describe("places in the queue", () => {
  it("Q7: below the limit the directory is listed once, however many appends there are", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 1_000 });
    for (let n = 0; n < 500; n++) await world.append(room);
    expect([world.pending.size, world.lists]).toEqual([500, 1]);
    room.close();
  });

  it("Q7: while the ingester keeps up it is listed once for each limit's worth of appends", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 100 });
    for (let n = 0; n < 1_000; n++) {
      world.pending.delete(await world.append(room));
    }
    expect(world.lists).toBeLessThanOrEqual(11);
    expect(world.pruned).toEqual([]);
    room.close();
  });

  it("Q11: a full queue is listed once for each headroom's worth of appends", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 1_000 });
    for (let n = 0; n < 1_200; n++) await world.append(room);
    // 1 % of the limit at a time.
    expect(world.lists).toBeLessThanOrEqual(1 + 200 / 10 + 1);
    expect(world.pending.size).toBeLessThanOrEqual(1_000);
    expect(world.pending.size + world.pruned.length).toBe(1_200);
    room.close();
  });

  it("Q11: another process's appends count by the ledger, before anything is listed", async () => {
    const world = new World();
    const [one, other] = [world.room(), world.room()];
    for (let n = 0; n < 60; n++) {
      await world.append(n % 3 === 0 ? one : other);
      expect(world.pending.size).toBeLessThanOrEqual(10);
    }
    expect(world.pending.size + world.pruned.length).toBe(60);
    one.close();
    other.close();
  });

  it("Q11: an append that failed with nothing on disk gives its place back", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 2, policy: "reject" });
    for (let n = 0; n < 20; n++) {
      const ulid = world.newId();
      await room.take(ulid);
      room.done(ulid, "none");
    }
    await world.append(room);
    await world.append(room);
    await expect(world.append(room)).rejects.toMatchObject({ code: "QUEUE_FULL" });
    room.close();
  });

  it("Q11: one whose outcome is unknown keeps it until the next listing", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 2 });
    const ulid = world.newId();
    await room.take(ulid);
    world.pending.add(ulid); // published, but its directory fsync failed
    room.done(ulid, "unknown");
    await world.append(room);
    await world.append(room);
    expect(world.pending.size).toBeLessThanOrEqual(2);
    room.close();
  });

  it("Q11: with every place taken by appends under way, others wait for one to end", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 2 });
    const held = [world.newId(), world.newId()];
    for (const ulid of held) await room.take(ulid);
    let served = false;
    const waiting = world.append(room).then(() => {
      served = true;
    });
    await vi.waitFor(() => expect(world.lists).toBeGreaterThan(1));
    expect(served).toBe(false);
    room.done(held[0] as string, "none");
    await waiting;
    expect(world.pruned).toEqual([]);
    room.close();
  });

  it("Q11: an id that is captured again is counted once, and is nobody's victim", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 3 });
    const [one, other] = [world.newId(), world.newId()];
    world.pending.add(one).add(other);
    await room.take(one);
    await world.append(room);
    expect(world.pruned).toEqual([]);
    const again = room.take(one);
    const third = room.take(world.newId());
    await Promise.all([again, third]);
    expect(world.pruned).toContain(other);
    expect(world.pruned).not.toContain(one);
    room.close();
  });

  it("Q11: nor is one that is waiting to be captured again", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 2, policy: "drop-oldest" });
    const [one, other] = [world.newId(), world.newId()];
    world.pending.add(one).add(other);
    await Promise.all([room.take(world.newId()), room.take(one)]);
    expect(world.pruned).toEqual([other]);
    room.close();
  });

  it("Q11: a repeat of a pending one has its place, and nobody goes or is refused for it", async () => {
    for (const policy of ["drop-oldest", "spill", "reject"] as const) {
      const world = new World();
      const room = world.room({ maxRecords: 2, policy });
      const [one, other] = [world.newId(), world.newId()];
      world.pending.add(one).add(other);
      await room.take(other);
      world.noted++;
      room.done(other, "noted");
      expect([policy, world.pruned, world.pending.size]).toEqual([policy, [], 2]);
      room.close();
    }
  });

  it("Q11: a clock that jumps while the directory is listed makes nobody go for it", async () => {
    for (const since of [50_000, Number.POSITIVE_INFINITY]) {
      const world = new World();
      let jumps = 0;
      const room: Room = world.room({
        maxRecords: 100,
        policy: "drop-oldest",
        ledger: {
          mark: () => ({ noted: 0, hour: "20260301-09", othersBytes: world.noted }),
          countSince: ({ othersBytes }) => (jumps-- > 0 ? since : world.noted - othersBytes),
        },
      });
      for (let n = 0; n < 100; n++) await world.append(room);
      jumps = 4; // two looks before the listing, the one after it, and the one that decides
      await world.append(room);
      expect(jumps).toBeLessThanOrEqual(0);
      expect(world.pruned.length).toBeGreaterThan(0);
      expect(world.pruned.length).toBeLessThanOrEqual(2);
      room.close();
    }
  });

  it("Q11: while other processes hold all records it looks again before it refuses", async () => {
    const world = new World();
    let held = 3;
    const prune: RoomParts["prune"] = async ([oldest = ""]) => {
      if (held-- > 0) return 0;
      world.pending.delete(oldest);
      return 1;
    };
    const room = world.room({ maxRecords: 2, prune });
    for (let n = 0; n < 3; n++) await world.append(room);
    expect([held, world.pending.size]).toEqual([-1, 2]);
    room.close();
  });

  it("Q11: when the directory can not be listed the append is refused with the reason", async () => {
    const world = new World();
    const room = world.room();
    world.failList = systemError("EIO");
    await expect(world.append(room)).rejects.toMatchObject({
      code: "QUEUE_FULL",
      details: { errno: "EIO", stored: "no" },
    });
    world.failList = undefined;
    await world.append(room);
    room.close();
  });

  it("Q11: a record that came back from quarantine takes a place, without a new listing", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 3, policy: "reject" });
    await world.append(room);
    for (let n = 0; n < 2; n++) {
      world.pending.add(world.newId());
      room.cameBack();
    }
    await expect(world.append(room)).rejects.toMatchObject({ code: "QUEUE_FULL" });
    expect(world.pending.size).toBe(3);
    room.close();
  });

  it("Q4: a refusal says that nothing was stored, whatever kept the oldest from leaving", async () => {
    const world = new World();
    const away = new MemspoolError("DATA_DIR_UNUSABLE", "The audit log has no place.");
    const room = world.room({ maxRecords: 1, prune: () => Promise.reject(away) });
    await world.append(room);
    await expect(room.take(world.newId())).rejects.toMatchObject({
      code: "DATA_DIR_UNUSABLE",
      details: { stored: "no" },
    });
    room.close();
  });

  it("Q11: the line is bounded", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 1 });
    const held = world.newId();
    await room.take(held);
    const line = Array.from({ length: 4_096 }, () => room.take(world.newId()));
    const settled = Promise.allSettled(line);
    await expect(room.take(world.newId())).rejects.toMatchObject({ code: "QUEUE_FULL" });
    world.failList = systemError("EIO");
    room.done(held, "none");
    // The place goes to the first; the others stay in line until theirs, or are refused.
    room.close();
    void settled;
  });
});

describe("an overshoot that other processes made", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("Q11: is brought down a second later, without a further append", async () => {
    const world = new World();
    const room = world.room();
    for (let n = 0; n < 9; n++) await world.append(room);
    // Another process's, published and not yet in the ledger.
    for (let n = 0; n < 4; n++) world.pending.add(world.newId());
    expect(world.pending.size).toBe(13);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(world.pending.size).toBeLessThanOrEqual(10);
    expect(world.pending.size + world.pruned.length).toBe(13);
    room.close();
  });

  it("Q11: far below the limit nothing is counted again", async () => {
    const world = new World();
    const room = world.room({ maxRecords: 1_000 });
    for (let n = 0; n < 9; n++) await world.append(room);
    const { lists } = world;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(world.lists).toBe(lists);
    room.close();
  });
});
