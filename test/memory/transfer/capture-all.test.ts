import { expect, it } from "vitest";
import { CaptureAll } from "../../../src/memory/transfer/capture-all.ts";

it("S7: a queue that would lose its oldest is drained before the first capture, too", async () => {
  const steps: string[] = [];
  const captures = new CaptureAll({
    makeRoom: async () => void steps.push("room"),
    makeRoomEvery: 2,
  });
  for (const items of [["a"], ["b"], ["c"]]) {
    await captures.run(items, async (item) => void steps.push(item));
  }
  // What lay there before the import may fill the queue already.
  expect(steps).toEqual(["room", "a", "b", "room", "c"]);
});
