import { describe, expect, it } from "vitest";
import { BLIND_MS } from "../../src/pressure/spool-guard.ts";
import { GateScene, KIB, MIB, usage } from "../support/gate-scene.ts";

/** 26 characters that sort like the number. */
const id = (n: number) => `01JQ7Z8X9Y${String(n).padStart(16, "0")}`;

describe("spool guard", () => {
  it("P1: knows nothing before the first look, and holds nobody up", () => {
    const { guard } = new GateScene();
    guard.take(1e12);
    expect(guard.admission()).toMatchObject({ state: "normal", relievable: false });
    expect(guard.admission().roomBytes).toBe(Number.POSITIVE_INFINITY);
    expect(guard.pendingCount()).toBeUndefined();
    expect(guard.facts()).toMatchObject({ state: "normal", usage: undefined, reason: "" });
  });

  it("P1: an own append counts at once, and what is in flight takes its room", () => {
    const scene = new GateScene();
    scene.look(80);
    expect(scene.guard.admission().roomBytes).toBe(20 * MIB);
    scene.guard.take(5 * MIB);
    expect(scene.guard.admission()).toMatchObject({ state: "normal", roomBytes: 15 * MIB });
    scene.guard.done(5 * MIB, id(1));
    expect(scene.guard.admission()).toMatchObject({ state: "normal", roomBytes: 15 * MIB });
    scene.guard.take(6 * MIB);
    scene.guard.done(6 * MIB, id(2));
    expect(scene.guard.admission()).toMatchObject({ state: "soft", roomBytes: 9 * MIB });
    expect(scene.events.named("backpressure_changed")).toMatchObject([
      { from: "normal", to: "soft", used_bytes: 91 * MIB, quota_bytes: 100 * MIB },
    ]);
  });

  it("R1: tells its own appends with the last look, so that state and use agree", () => {
    const scene = new GateScene();
    scene.look(80);
    const before = scene.guard.facts().usage;
    scene.guard.take(15 * MIB);
    scene.guard.done(15 * MIB, id(1));
    const { state, usage: told } = scene.guard.facts();
    expect(state).toBe("soft");
    expect(told).toEqual({
      ...before,
      pendingBytes: 95 * MIB,
      pendingCount: 1,
      freeBytes: (before?.freeBytes ?? 0) - 15 * MIB,
      freeInodes: (before?.freeInodes ?? 0) - 1,
    });
  });

  it("P1: what failed gives its room back", () => {
    const scene = new GateScene();
    scene.look(80);
    scene.guard.take(5 * MIB);
    scene.guard.done(5 * MIB, undefined);
    expect(scene.guard.admission().roomBytes).toBe(20 * MIB);
  });

  it("P1: a look counts an own append instead of, never beside, this", () => {
    const scene = new GateScene();
    scene.look(50);
    const append = (ulid: string) => {
      scene.guard.take(5 * MIB);
      scene.guard.done(5 * MIB, ulid);
    };
    append(id(1)); // over before the look began, and ingested and trimmed before it
    scene.time.advance(10);
    const began = usage(scene.time, 60);
    scene.time.advance(10);
    append(id(2)); // the look found it pending
    append(id(3)); // came behind the look
    expect(scene.guard.admission().roomBytes).toBe(35 * MIB);
    scene.guard.measured(began, new Set([id(2)]));
    expect(scene.guard.admission().roomBytes).toBe(35 * MIB);
    expect(scene.guard.pendingCount()).toBe(1);
  });

  it("P1: nor one that was in flight when the look found it", () => {
    const scene = new GateScene();
    scene.look(50);
    scene.guard.take(5 * MIB);
    scene.look(55, {}, [id(1)]);
    scene.guard.done(5 * MIB, id(1));
    expect(scene.guard.admission().roomBytes).toBe(45 * MIB);
  });

  it("P1: nor one that is appended again under its id", () => {
    const scene = new GateScene();
    scene.look(50);
    for (let n = 0; n < 3; n++) {
      scene.guard.take(5 * MIB);
      scene.guard.done(5 * MIB, id(1));
    }
    expect(scene.guard.admission().roomBytes).toBe(45 * MIB);
  });

  it("P1: keeps count of more appends between two looks than it keeps ids", () => {
    const scene = new GateScene();
    scene.look(0);
    for (let n = 0; n < 70_000; n++) {
      scene.guard.take(KIB);
      scene.guard.done(KIB, id(n));
    }
    expect(scene.guard.pendingCount()).toBe(70_000);
    expect(scene.guard.admission().roomBytes).toBe(100 * MIB - 70_000 * KIB);
    scene.time.advance(1);
    scene.look(10);
    expect(scene.guard.pendingCount()).toBe(0);
    expect(scene.guard.admission().roomBytes).toBe(90 * MIB);
  });

  it("P4: tells each transition once, and the way back to normal with exactly one cleared", () => {
    const scene = new GateScene();
    scene.look(91);
    scene.look(92);
    scene.guard.heldUp("delayed");
    scene.time.advance(1_000);
    scene.look(100);
    scene.guard.heldUp("refused");
    scene.guard.heldUp("refused");
    scene.look(96); // not five points below hard
    scene.look(95);
    scene.look(86); // not five points below soft
    scene.time.advance(1_000);
    scene.look(85);
    scene.look(84);
    const changes = scene.events.named("backpressure_changed");
    expect(changes.map(({ from, to }) => `${from} ${to}`)).toEqual([
      "normal soft",
      "soft hard",
      "hard soft",
      "soft normal",
    ]);
    expect(scene.events.named("backpressure_cleared")).toEqual([
      { away_ms: 2_000, delayed: 1, refused: 2 },
    ]);
    scene.look(91);
    scene.look(80);
    expect(scene.events.named("backpressure_cleared")[1]).toEqual({
      ...{ away_ms: 0, delayed: 0, refused: 0 },
    });
  });

  it("P1: own appends use up the disk's free space and inodes, too", () => {
    const scene = new GateScene();
    scene.look(10, { freeBytes: 65 * MIB });
    expect(scene.guard.facts().state).toBe("normal");
    scene.guard.take(2 * MIB);
    scene.guard.done(2 * MIB, id(1));
    expect(scene.guard.facts().state).toBe("hard");
    expect(scene.guard.facts().reason).toContain("MiB free");
    const other = new GateScene();
    other.look(10, { freeInodes: 1_000 });
    other.guard.take(KIB);
    other.guard.done(KIB, id(1));
    expect(other.guard.facts().state).toBe("hard");
  });

  it("P1: a look that ends after a newer one changes nothing", () => {
    const scene = new GateScene();
    const older = usage(scene.time, 50);
    scene.time.advance(10);
    scene.guard.take(5 * MIB);
    scene.guard.done(5 * MIB, id(1));
    scene.time.advance(10);
    scene.look(55);
    scene.guard.measured(older, new Set());
    expect(scene.guard.admission().roomBytes).toBe(45 * MIB);
  });

  it("P1: looks that fail for long: nobody knows how full the disk is, and nobody is held up", () => {
    const scene = new GateScene();
    scene.look(101);
    scene.guard.lookFailed();
    scene.time.advance(BLIND_MS - 1);
    scene.guard.lookFailed();
    expect(scene.guard.admission().state).toBe("hard");
    let told = 0;
    scene.guard.onChange(() => told++);
    scene.time.advance(1);
    scene.guard.lookFailed();
    expect(told).toBe(1);
    expect(scene.guard.admission()).toMatchObject({ state: "normal", relievable: false });
    expect(scene.guard.admission().roomBytes).toBe(Number.POSITIVE_INFINITY);
    expect(scene.guard.pendingCount()).toBeUndefined();
    expect(scene.events.named("backpressure_cleared")).toHaveLength(1);
    scene.look(101);
    expect(scene.guard.admission().state).toBe("hard");
    scene.guard.lookFailed();
    expect(scene.guard.admission().state).toBe("hard");
  });

  it("P1: own appends that no look can see any more never add up to a hard limit that stays", () => {
    const scene = new GateScene();
    scene.look(10);
    for (let n = 0; n < 100; n++) {
      scene.guard.lookFailed();
      scene.time.advance(1_000);
      scene.guard.take(MIB);
      scene.guard.done(MIB, id(n));
    }
    expect(scene.guard.facts().state).toBe("normal");
    scene.time.advance(1);
    scene.look(12);
    expect(scene.guard.admission().roomBytes).toBe(88 * MIB);
  });
});
