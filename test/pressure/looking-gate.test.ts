import { beforeEach, describe, expect, it } from "vitest";
import { LOOK_MS_MAX, LookingGate } from "../../src/pressure/looking-gate.ts";
import { Entering, GateScene, KIB, said, settle, usage } from "../support/gate-scene.ts";

let scene: GateScene;
let usedMib: number;
let looks: number;
let watched: boolean;
let failures: unknown[];
let measure: () => Promise<{ usage: ReturnType<typeof usage>; pendingUlids: Set<string> }>;
let gate: LookingGate;

beforeEach(() => {
  scene = new GateScene();
  [usedMib, looks, watched, failures] = [10, 0, false, []];
  measure = async () => {
    looks++;
    // A look takes longer than it takes to ask for one.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    return { usage: usage(scene.time, usedMib), pendingUlids: new Set() };
  };
  gate = new LookingGate({
    ...{ gate: scene.gate, guard: scene.guard, timing: scene.time },
    measure: () => measure(),
    onFailed: (error) => failures.push(error),
    isWatched: () => watched,
  });
});

const enter = () => new Entering(gate.enter({ priority: "normal", bytes: KIB }));

/** Time goes by in small steps, so that a look costs none of it. */
async function pass(ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 50) {
    scene.time.advance(50);
    await settle();
  }
}

describe("a gate that looks by itself", () => {
  it("P2: looks before the first capture, and no timer is left behind", async () => {
    expect(looks).toBe(0);
    expect(await said([enter()])).toEqual(["admitted"]);
    expect([looks, scene.time.plannedCount]).toEqual([1, 0]);
  });

  it("P2: finds hard at its first look, and lets in when a later one finds room", async () => {
    usedMib = 100;
    const one = enter();
    expect(await said([one])).toEqual(["held"]);
    await pass(500);
    expect(await said([one])).toEqual(["held"]);
    expect(looks).toBe(6);
    usedMib = 50;
    await pass(100);
    expect(await said([one])).toEqual(["admitted"]);
    expect(scene.time.plannedCount).toBe(0);
  });

  it("P2: looks again before it holds up by an old look", async () => {
    usedMib = 91;
    const first = enter();
    await settle();
    await pass(300);
    expect(await said([first])).toEqual(["admitted"]);
    usedMib = 10;
    await pass(100);
    expect(await said([enter()])).toEqual(["admitted"]);
  });

  it("P2: refuses low priority by a look of now, not by one that is over", async () => {
    usedMib = 100;
    const low = () => new Entering(gate.enter({ priority: "low", bytes: KIB }));
    expect(await said([low()])).toEqual(["quota"]);
    usedMib = 10;
    await pass(100);
    expect(await said([low()])).toEqual(["admitted"]);
  });

  it.each([
    { lookMs: 10, pauseMs: 200 },
    { lookMs: 900, pauseMs: 5_000 },
  ])(
    "P2: a look of $lookMs ms is followed by none for $pauseMs ms",
    async ({ lookMs, pauseMs }) => {
      measure = async () => {
        looks++;
        scene.time.advance(lookMs);
        return { usage: usage(scene.time, 91), pendingUlids: new Set() };
      };
      expect(await said([enter()])).toEqual(["held"]);
      scene.time.advance(pauseMs - 1);
      enter();
      await settle();
      expect(looks).toBe(1);
      scene.time.advance(1);
      enter();
      await settle();
      expect(looks).toBe(2);
    },
  );

  it("P2: looks at most once a second while all is normal, and nobody waits for it", async () => {
    for (let n = 0; n < 50; n++) {
      expect(await said([enter()])).toEqual(["admitted"]);
      scene.time.advance(50);
    }
    expect(looks).toBeLessThanOrEqual(4);
    expect(looks).toBeGreaterThan(1);
  });

  it("P2: a look that hangs keeps a capture for a second at most, and is not begun twice", async () => {
    measure = () => {
      looks++;
      return new Promise(() => {});
    };
    const both = [enter(), enter()];
    scene.time.advance(LOOK_MS_MAX - 1);
    expect(await said(both)).toEqual(["held", "held"]);
    scene.time.advance(1);
    expect(await said(both)).toEqual(["admitted", "admitted"]);
    expect(looks).toBe(1);
  });

  it("I7: once it is closed nobody waits for a look, not even one that is under way", async () => {
    measure = () => {
      looks++;
      return new Promise(() => {});
    };
    const before = enter();
    expect(await said([before])).toEqual(["held"]);
    gate.close();
    gate.close();
    expect(await said([before])).toEqual(["admitted"]);
    expect(await said([enter()])).toEqual(["admitted"]);
    expect([looks, scene.time.plannedCount]).toEqual([1, 0]);
  });

  it("P2: a look that fails is told, and holds nobody up", async () => {
    measure = () => Promise.reject(new Error("EACCES"));
    expect(await said([enter()])).toEqual(["admitted"]);
    expect(failures).toHaveLength(1);
  });

  it("P2: does not look where a control loop does", async () => {
    watched = true;
    scene.look(91);
    const one = enter();
    expect(await said([one])).toEqual(["held"]);
    scene.time.advance(300);
    expect(await said([one])).toEqual(["admitted"]);
    expect(looks).toBe(0);
  });
});
