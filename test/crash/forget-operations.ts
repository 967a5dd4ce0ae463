/**
 * Forgetting among the operations: an order is placed, and an order is carried out on records of
 * which one to forget and one to keep lies at each place.
 *
 * Guarantees: as operations.ts. What is said of an order is noted when the product would say it: that
 * it is placed, and that it is carried out.
 */
import { Purger } from "../../src/ingest/purger.ts";
import { Claims } from "../../src/queue/claim.ts";
import { listOrders, placeOrder } from "../../src/queue/forget-order.ts";
import { generateUlid } from "../../src/record/record-id.ts";
import { type CrashWorld, plainSeams, type Seams, storeOf } from "./crash-world.ts";
import { backlog, capture, drain, ingestByRecord, queueOf, texts } from "./operation-steps.ts";
import type { Operation } from "./operations.ts";

/** Of each pair, in the order of capture, the first is to be forgotten. */
const toForget = new WeakMap<CrashWorld, readonly string[]>();

/** A pair in store and archive, one in quarantine, one in a segment, one pending. */
async function recordsEverywhere(world: CrashWorld): Promise<void> {
  const plain = plainSeams(world);
  const [aside] = await backlog(world, texts(2));
  await ingestByRecord(world, plain, () => true);
  const [stored] = await backlog(world, texts(2));
  await drain(world, plain);
  const [spilled] = await backlog(world, texts(2));
  const queue = queueOf(world, plain, { maxSize: 2, overflow: "spill" });
  const later: (string | undefined)[] = [];
  for (const record of texts(2)) later.push(await capture(world, queue, record));
  await queue.close();
  toForget.set(world, [aside, stored, spilled, later[0]] as string[]);
}

function place(world: CrashWorld, { fsSync, clock }: Seams): void {
  const ulids = [...(toForget.get(world) ?? [])].sort();
  const at = new Date(clock.nowMs()).toISOString();
  world.truth.forgetting("asked", ulids);
  try {
    placeOrder(fsSync, world.layout, { request: generateUlid(), at, reason: "requested", ulids });
    world.truth.forgetting("ordered", ulids);
  } catch (error) {
    world.truth.workFailed(error);
  }
}

export const forgetOrdered: Operation = {
  name: "order to forget",
  archives: true,
  prepare: recordsEverywhere,
  run: async (world, seams) => place(world, seams),
};

export const forgetCarriedOut: Operation = {
  name: "forget",
  archives: true,
  async prepare(world) {
    await recordsEverywhere(world);
    place(world, plainSeams(world));
  },
  async run(world, seams) {
    const { layout, truth } = world;
    const { fsSync: fs, clock, events } = seams;
    const parts = { fs, layout, clock, events, claims: new Claims(fs, layout, clock) };
    try {
      await new Purger(parts).run({
        openStore: async () => storeOf(world, seams),
        isStopping: () => false,
      });
      const isOver = listOrders(plainSeams(world).fsSync, layout.forgetDir).length === 0;
      if (isOver) truth.forgetting("forgotten", toForget.get(world) ?? []);
    } catch (error) {
      truth.workFailed(error);
    }
  },
};
