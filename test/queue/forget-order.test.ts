import { linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync as fs } from "../../src/platform/durable-fs-sync.ts";
import {
  decodeOrder,
  doneOrderPath,
  encodeOrder,
  listOrders,
  type OrderFile,
  orderPath,
  placeOrder,
  readOrder,
  settleOrder,
} from "../../src/queue/forget-order.ts";
import { ForgetView } from "../../src/queue/forget-view.ts";
import { type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import { faultyFs, faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const REQUEST = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
const ORDER: OrderFile = {
  request: REQUEST,
  at: "2026-03-01T09:30:00.000Z",
  reason: "requested",
  ulids: ["01JQ7Z8X9YABCDEFGHJKMNPQRT"],
};

function freshLayout(): QueueLayout {
  const layout = queueLayout(join(freshDirectory(), "queue"));
  mkdirSync(layout.dir);
  return layout;
}

describe("the bytes of an order", () => {
  it("S6: are read back, and no changed or cut byte is", () => {
    const bytes = encodeOrder(ORDER);
    expect(decodeOrder(bytes, REQUEST)).toEqual(ORDER);
    expect(decodeOrder(bytes, `${REQUEST.slice(0, -1)}0`)).toBeUndefined();
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] as number) ^ 1;
      expect(decodeOrder(flipped, REQUEST)).toBeUndefined();
      expect(decodeOrder(bytes.subarray(0, at), REQUEST)).toBeUndefined();
    }
  });
});

describe("an order on its way", () => {
  it("S6: makes its directories, and is listed and read until it is settled", () => {
    const layout = freshLayout();
    expect(listOrders(fs, layout.forgetDir)).toEqual([]);
    placeOrder(fs, layout, ORDER);
    placeOrder(fs, layout, ORDER); // again does no harm
    expect(listOrders(fs, layout.forgetDir)).toEqual([REQUEST]);
    expect(readOrder(fs, layout.forgetDir, REQUEST)).toEqual(ORDER);
    settleOrder(fs, layout, REQUEST);
    settleOrder(fs, layout, REQUEST);
    expect(listOrders(fs, layout.forgetDir)).toEqual([]);
    expect(readOrder(fs, layout.forgetDir, REQUEST)).toBe("gone");
    expect(readOrder(fs, layout.forgottenDir, REQUEST)).toEqual(ORDER);
  });

  it("S6: that was cut off between its two names is settled by the next run", () => {
    const layout = freshLayout();
    placeOrder(fs, layout, ORDER);
    linkSync(orderPath(layout, REQUEST), doneOrderPath(layout, REQUEST));
    settleOrder(fs, layout, REQUEST);
    expect(listOrders(fs, layout.forgetDir)).toEqual([]);
    expect(readFileSync(doneOrderPath(layout, REQUEST))).toEqual(encodeOrder(ORDER));
  });

  it.each(["openExclusive", "write", "fsync", "link", "makeDirectory"])(
    "S6: a disk that fails at %s leaves nothing forgotten, and says so",
    (method) => {
      const layout = freshLayout();
      const disk = faultyFsSync();
      disk.fail({ method, errno: "ENOSPC" });
      expect(() => placeOrder(disk.fs, layout, ORDER)).toThrow(
        expect.objectContaining({ code: "DATA_DIR_UNUSABLE" }),
      );
      expect(listOrders(fs, layout.forgetDir)).toEqual([]);
    },
  );

  it("X1: a symbolic link in the place of its directory is not followed", () => {
    const layout = freshLayout();
    const outside = freshDirectory();
    symlinkSync(outside, layout.forgetDir);
    expect(() => placeOrder(fs, layout, ORDER)).toThrow(
      expect.objectContaining({ code: "UNSAFE_PATH" }),
    );
    expect(fs.names(outside)).toEqual([]);
  });
});

describe("what a process sees of them", () => {
  it("S6: another process's order at once, and reads each order once", async () => {
    const layout = freshLayout();
    const disk = faultyFs();
    const view = new ForgetView(disk.fs, layout, new ManualClock());
    expect([...(await view.hidden())]).toEqual([]);
    placeOrder(fs, layout, ORDER);
    for (let look = 0; look < 3; look++) expect([...(await view.hidden())]).toEqual(ORDER.ulids);
    expect(disk.methods().filter((method) => method === "read")).toHaveLength(1);
    settleOrder(fs, layout, REQUEST);
    expect([...(await view.hidden())]).toEqual([]);
  });

  it("S6: nothing of one that is damaged, or no file", async () => {
    const layout = freshLayout();
    placeOrder(fs, layout, ORDER);
    writeFileSync(orderPath(layout, REQUEST), "{}");
    const view = new ForgetView(nodeDurableFs, layout, new ManualClock());
    expect([...(await view.hidden())]).toEqual([]);
    expect(readOrder(fs, layout.forgetDir, REQUEST)).toBe("damaged");
    rmSync(orderPath(layout, REQUEST));
    mkdirSync(orderPath(layout, REQUEST));
    expect([...(await view.hidden())]).toEqual([]);
    expect(readOrder(fs, layout.forgetDir, REQUEST)).toBe("damaged");
  });
});
