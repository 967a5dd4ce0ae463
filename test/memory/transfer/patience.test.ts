import { expect, it } from "vitest";
import { MemspoolError } from "../../../src/errors.ts";
import { CaptureAll } from "../../../src/memory/transfer/capture-all.ts";
import { PATIENCE_MS, Patience } from "../../../src/memory/transfer/patience.ts";
import { backpressure } from "../../../src/pressure/refusal.ts";

const refusal = () => backpressure("quota", 5_000, "");

function scene(refusals: number) {
  const steps: string[] = [];
  let left = refusals;
  const parts = {
    makeRoom: async () => void steps.push("room"),
    onHeldUp: (reason: string | undefined) => void steps.push(reason ?? "going on"),
    pause: async (ms: number) => void steps.push(`pause ${ms}`),
  };
  const capture = async (item: string) => {
    if (left-- > 0) throw refusal();
    steps.push(item);
  };
  return { steps, parts, capture };
}

it("P2: an import that is refused makes room, waits as long as it was told, and goes on", async () => {
  const { steps, parts, capture } = scene(3);
  await new Patience(parts).run(() => capture("a"));
  expect(steps).toEqual([
    ...["quota", "room", "pause 5000", "pause 5000", "pause 5000", "a", "going on"],
  ]);
});

it("P2: all that are refused at once wait for one pause", async () => {
  const { steps, parts, capture } = scene(32);
  const items = Array.from({ length: 32 }, (_, n) => String(n));
  await new CaptureAll(parts).run(items, capture);
  expect(steps.filter((step) => step.startsWith("pause"))).toHaveLength(1);
  expect(steps.filter((step) => items.includes(step))).toHaveLength(32);
});

it("P2: it drains at first and now and then, and a store that is away ends nothing", async () => {
  const { steps, parts, capture } = scene(26);
  const makeRoom = async () => {
    steps.push("room");
    throw new MemspoolError("STORE_UNAVAILABLE", "The store is away. Try again.");
  };
  await new Patience({ ...parts, makeRoom }).run(() => capture("a"));
  expect(steps.filter((step) => step === "room")).toHaveLength(3);
  const final = async () => {
    throw new MemspoolError("STORE_TOO_NEW", "The store is of a newer memspool. Upgrade.");
  };
  const other = scene(1);
  const failing = new Patience({ ...other.parts, makeRoom: final }).run(() => other.capture("a"));
  await expect(failing).rejects.toMatchObject({ code: "STORE_TOO_NEW" });
});

it("P2: it is cancelled within a pause, with the caller's reason", async () => {
  const stop = new AbortController();
  const patience = new Patience({
    makeRoom: async () => {},
    onHeldUp: () => setImmediate(() => stop.abort(new Error("stopped"))),
    signal: stop.signal,
  });
  const refused = async () => {
    throw refusal();
  };
  await expect(patience.run(refused)).rejects.toThrow("stopped");
  await expect(patience.run(refused)).rejects.toThrow("stopped");
});

it("P2: it is told why when nothing gets in for very long", async () => {
  const { steps, parts, capture } = scene(Number.POSITIVE_INFINITY);
  const failing = new Patience(parts).run(() => capture("a"));
  await expect(failing).rejects.toMatchObject({ code: "BACKPRESSURE" });
  const pauses = steps.filter((step) => step.startsWith("pause"));
  expect(pauses).toHaveLength(PATIENCE_MS / 5_000);
});

it("P2: other failures are not waited for", async () => {
  const patience = new Patience({ makeRoom: async () => {} });
  const failing = patience.run(async () => {
    throw new MemspoolError("CAPTURE_FAILED", "The disk failed. See the doctor.");
  });
  await expect(failing).rejects.toMatchObject({ code: "CAPTURE_FAILED" });
});
