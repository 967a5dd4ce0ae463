/**
 * What the model test does in random order, each with what the model makes of it.
 *
 * Guarantees: a command that makes no sense at the moment (no record to damage) does nothing in
 * either world. Every random choice is an argument, so that a failure shrinks and repeats.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { expect } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { itemOf } from "../crash/operation-steps.ts";
import {
  expectAgreement,
  expectFound,
  MAX_SIZE,
  type ModelRecord,
  type QueueModel,
  type QueueWorld,
} from "./queue-model.ts";

export type QueueCommand = fc.AsyncCommand<QueueModel, QueueWorld>;

/** Runs something in both worlds and compares them. */
function command(
  name: string,
  run: (model: QueueModel, world: QueueWorld) => Promise<void>,
): QueueCommand {
  return {
    check: () => true,
    run: async (model, world) => {
      await run(model, world);
      await expectAgreement(model, world);
    },
    toString: () => name,
  };
}

function append(key: number | undefined, sameText: boolean): QueueCommand {
  return command(`append(key ${key}${sameText ? ", same text" : ""})`, async (model, world) => {
    const idempotencyKey = key === undefined ? undefined : `key-${key}`;
    const twin = sameText && model.records.find((record) => record.key === idempotencyKey);
    model.texts++;
    const text = twin && twin.key !== undefined ? twin.text : `word${model.texts} of the model`;
    const record = {
      surface: text,
      ...(idempotencyKey === undefined ? {} : { idempotency_key: idempotencyKey }),
    };
    const newest =
      model.records
        .map(({ ulid }) => ulid)
        .sort()
        .at(-1) ?? "";
    const ulid = await appended(model, world, () => world.queue.append(record));
    if (ulid === undefined) return;
    expect(ulid > newest, "ids sort in the order in which they were made").toBe(true);
    model.records.push({
      ulid,
      text,
      key: idempotencyKey,
      waiting: true,
      corrupt: false,
      stored: "no",
      setAside: 0,
      setAsideDamaged: 0,
      dropped: false,
    });
  });
}

/** The answer to a receipt that was never seen. */
function repeat(index: number): QueueCommand {
  return command(`repeat(${index})`, async (model, world) => {
    const record = pick(model.records, index);
    if (!record) return;
    const { ulid, text, key } = record;
    const input = { surface: text, ...(key === undefined ? {} : { idempotency_key: key }) };
    const isDamaged = record.corrupt && record.waiting;
    const act = () => world.queue.append(input, { retryUlid: ulid });
    const code = isDamaged ? "ULID_CONFLICT" : undefined;
    const again = await appended(model, world, act, { ulid, code });
    if (again === undefined) return;
    expect(again).toBe(ulid);
    record.waiting = true;
    record.corrupt = false;
  });
}

/**
 * @param repeated the id that is appended again, and the code that this must fail with
 * @returns undefined if it was refused as it should be
 */
async function appended(
  model: QueueModel,
  world: QueueWorld,
  act: () => Promise<{ ulid: string }>,
  repeated: { readonly ulid?: string; readonly code?: string | undefined } = {},
): Promise<string | undefined> {
  const before = world.pending();
  // One that is pending already keeps its place.
  const isThere = repeated.ulid !== undefined && before.includes(repeated.ulid);
  const isFull = before.length >= MAX_SIZE && !isThere;
  const canLeave = (ulid: string) =>
    ulid !== repeated.ulid && !model.byUlid(ulid)?.corrupt && !world.isHeld(ulid);
  const victims = before.filter(canLeave);
  const mayLeave = victims.length > 0;
  try {
    const { ulid } = await act();
    expect(repeated.code).toBeUndefined();
    expect(isFull && (model.policy === "reject" || !mayLeave), "a full queue took it").toBe(false);
    noteLeaving(model, world, before, victims);
    return ulid;
  } catch (error) {
    if (!(error instanceof MemspoolError)) throw error;
    noteLeaving(model, world, before, victims);
    if (error.code === repeated.code) return undefined;
    expect(error.code).toBe("QUEUE_FULL");
    expect(isFull && (model.policy === "reject" || !mayLeave), "refused below the limit").toBe(
      true,
    );
    return undefined;
  }
}

/** Who left the full queue: the oldest of those that could, and in the way of the policy. */
function noteLeaving(
  model: QueueModel,
  world: QueueWorld,
  before: readonly string[],
  victims: readonly string[],
): void {
  const after = world.pending();
  const gone = before.filter((ulid) => !after.includes(ulid));
  const kept = victims.filter((ulid) => after.includes(ulid));
  for (const ulid of gone) {
    expect(model.policy).not.toBe("reject");
    expect(
      kept.every((other) => other > ulid),
      "the oldest go first",
    ).toBe(true);
    const record = model.byUlid(ulid) as ModelRecord;
    if (model.policy === "drop-oldest") {
      record.waiting = false;
      record.dropped = true;
    }
  }
}

/** `ingestPending` with a handler that stores, fails or refuses by turns. */
function ingest(verdicts: readonly ("store" | "fail" | "refuse")[]): QueueCommand {
  return command(`ingest(${verdicts.join(", ")})`, async (model, world) => {
    const due = world.pending().filter((ulid) => !world.isHeld(ulid));
    const legible = due.filter((ulid) => !model.byUlid(ulid)?.corrupt);
    const handled: string[] = [];
    const stored = new Set<string>();
    const failed = new Set<string>();
    const handler = async (surface: string, ulid: string): Promise<void> => {
      const record = model.byUlid(ulid) as ModelRecord;
      expect(surface).toBe(record.text);
      const verdict = verdicts[handled.length % verdicts.length];
      handled.push(ulid);
      if (verdict === "store" && (await storeOne(world, record))) {
        stored.add(ulid);
        return;
      }
      if (verdict === "fail") {
        failed.add(ulid);
        throw new Error("the handler was away");
      }
      setAside(record);
      throw new MemspoolError("STORE_REFUSED", "The handler refuses it.");
    };
    const work = world.queue.ingestPending((record, { ulid }) => handler(record.surface, ulid));
    await work.catch(() => {});
    // What is spilled is older and comes first; what is pending comes whole and in order.
    const spilled = handled.splice(0, handled.length - legible.length);
    expect(handled).toEqual(legible);
    expect(spilled.length === 0 || model.policy === "spill").toBe(true);
    for (const ulid of due) {
      const record = model.byUlid(ulid) as ModelRecord;
      if (record.corrupt) damagedSetAside(record);
    }
    for (const ulid of stored) await noteStored(model, world, model.byUlid(ulid) as ModelRecord);
    for (const ulid of failed) (model.byUlid(ulid) as ModelRecord).waiting = true;
  });
}

/** False for a conflict. */
async function storeOne(world: QueueWorld, { ulid, text, key }: ModelRecord): Promise<boolean> {
  const record = { surface: text, ...(key === undefined ? {} : { idempotency_key: key }) };
  const { conflicts } = await world.commitBatch([itemOf(ulid, record)]);
  return conflicts.length === 0;
}

function setAside(record: ModelRecord): void {
  record.waiting = false;
  record.setAside++;
}

function damagedSetAside(record: ModelRecord): void {
  record.waiting = false;
  record.corrupt = false;
  record.setAsideDamaged++;
}

/** Ingested, or the alias of another with its key and its text. */
async function noteStored(
  model: QueueModel,
  world: QueueWorld,
  record: ModelRecord,
): Promise<void> {
  const found = (await world.store.lookup([record.ulid])).get(record.ulid);
  expect(found?.state, `${record.ulid} was acknowledged and is not in the store`).toBeDefined();
  if (found?.state === "duplicate") {
    const first = model.byUlid(found.of) as ModelRecord;
    expect([first.key, first.text]).toEqual([record.key, record.text]);
  }
  record.waiting = false;
  if (found?.state === "forgotten") throw new Error(`${record.ulid} was never forgotten`);
  record.stored = found?.state ?? "no";
}

/** The server's ingester: everything that nobody else holds goes where it belongs. */
const drain = command("drain()", async (model, world) => {
  const held = new Set(world.pending().filter((ulid) => world.isHeld(ulid)));
  const before = model.records.filter(({ waiting, ulid }) => waiting && !held.has(ulid));
  await world.drain();
  expect(world.pending()).toEqual([...held].sort());
  for (const record of before) {
    if (record.corrupt) {
      damagedSetAside(record);
    } else if (await isConflict(model, world, record)) {
      setAside(record);
    } else {
      await noteStored(model, world, record);
    }
  }
});

/** Another record of the same key is in the store, with another text: whichever was first. */
async function isConflict(
  model: QueueModel,
  world: QueueWorld,
  { key, text }: ModelRecord,
): Promise<boolean> {
  if (key === undefined) return false;
  const alike = model.records.filter((record) => record.key === key);
  const known = await world.store.lookup(alike.map(({ ulid }) => ulid));
  return alike.some(
    (record) => known.get(record.ulid)?.state === "ingested" && record.text !== text,
  );
}

/** Sends back whatever is whole in quarantine, as far as there is room. */
const retry = command("retry()", async (model, world) => {
  const { outcomes } = await world.memory.retry({});
  for (const { ulid, state } of outcomes) {
    const record = model.byUlid(ulid) as ModelRecord;
    if (state === "pending") {
      expect(record.setAside).toBeGreaterThan(0);
      record.waiting = true;
      record.setAside--;
      continue;
    }
    const isFull = world.pending().length >= MAX_SIZE;
    expect(isFull || record.waiting || record.setAsideDamaged > 0, `${ulid} is ${state}`).toBe(
      true,
    );
  }
});

/** Changes a byte of a pending file. */
function damage(index: number): QueueCommand {
  return command(`damage(${index})`, async (model, world) => {
    const ulid = pick(world.pending(), index);
    const record = ulid === undefined ? undefined : model.byUlid(ulid);
    if (!record || record.corrupt) return;
    const path = pendingPath(world.layout, record.ulid);
    if (!existsSync(path)) return;
    writeFileSync(path, readFileSync(path, "utf8").replace("of the model", "of the Model"));
    record.corrupt = true;
  });
}

const restart = command("restart()", async (_, world) => world.restart());

function stepClock(seconds: number): QueueCommand {
  return command(`stepClock(${seconds} s)`, async (_, world) => {
    world.clock.aheadMs += seconds * 1_000;
  });
}

const search = command("search()", (model, world) => expectFound(model, world));

function pick<T>(from: readonly T[], index: number): T | undefined {
  return from[index % Math.max(1, from.length)];
}

const verdict = fc.constantFrom("store" as const, "fail" as const, "refuse" as const);

/** All of them, each as often as it deserves. */
export const QUEUE_COMMANDS: readonly fc.Arbitrary<QueueCommand>[] = [
  fc
    .tuple(fc.option(fc.nat(1), { nil: undefined }), fc.boolean())
    .map(([k, same]) => append(k, same)),
  fc.constant(append(undefined, false)),
  fc.constant(append(undefined, false)),
  fc.nat(9).map(repeat),
  fc.array(verdict, { minLength: 1, maxLength: 3 }).map(ingest),
  fc.constant(drain),
  fc.nat(3).map(damage),
  fc.constant(restart),
  fc.constant(retry),
  fc.constantFrom(-3_600, -20, 20, 3_600).map(stepClock),
  fc.constant(search),
];
