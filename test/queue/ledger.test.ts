import { existsSync, readdirSync, readFileSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { ledgerPath, queueLayout } from "../../src/queue/layout.ts";
import { LEDGER_LINE_BYTES, Ledger } from "../../src/queue/ledger.ts";
import { generateUlid } from "../../src/record/record-id.ts";
import { faultyFsSync, systemError } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

function newLedger() {
  const layout = queueLayout(freshDirectory());
  const clock = new ManualClock();
  const events = new RecordedEvents();
  const faulty = faultyFsSync();
  const ledger = new Ledger({ fs: faulty.fs, layout, clock, events });
  return { layout, clock, events, faulty, ledger };
}

const MORNING = "20260301-09";
const linesOf = (path: string) => readFileSync(path, "latin1").split("\n").slice(0, -1);

describe("the ledger", () => {
  it("V1: has the id of every acknowledged capture when its receipt is there", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const queue = new CaptureQueue({ queueDir });
    const receipts = await Promise.all(
      Array.from({ length: 20 }, (_, n) => queue.append({ surface: `text ${n}` })),
    );
    const [name = "none"] = readdirSync(queueDir).filter((each) => each.startsWith(".ledger-"));
    const ids = linesOf(join(queueDir, name));
    expect(ids.toSorted()).toEqual(receipts.map(({ ulid }) => ulid).toSorted());
    await queue.close();
  });

  it("V1: does not name what was not published", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const faulty = faultyFsSync();
    const queue = new CaptureQueue({ queueDir, fsSync: faulty.fs });
    const { ulid } = await queue.append({ surface: "first" });
    await expect(queue.append({ surface: "other" }, { retryUlid: ulid })).rejects.toMatchObject({
      code: "ULID_CONFLICT",
    });
    const [name = "none"] = readdirSync(queueDir).filter((each) => each.startsWith(".ledger-"));
    expect(linesOf(join(queueDir, name))).toEqual([ulid]);
    await queue.close();
  });

  it("V1: ids noted in one turn are one write, without an fsync", async () => {
    const { layout, faulty, ledger } = newLedger();
    const ids = Array.from({ length: 5 }, () => generateUlid());
    await Promise.all(ids.map((id) => ledger.note(id)));
    expect(linesOf(ledgerPath(layout, MORNING))).toEqual(ids);
    expect(faulty.methods().filter((method) => method === "write")).toHaveLength(1);
    expect(faulty.methods()).not.toContain("fsync");
    ledger.close();
  });

  it("V1: each hour has a file of its own", async () => {
    const { layout, clock, ledger } = newLedger();
    const [one, other] = [generateUlid(), generateUlid()];
    await ledger.note(one);
    clock.advance(3_600_000);
    await ledger.note(other);
    expect(linesOf(ledgerPath(layout, MORNING))).toEqual([one]);
    expect(linesOf(ledgerPath(layout, "20260301-10"))).toEqual([other]);
    ledger.close();
  });

  it("V1: a file that was removed is made again", async () => {
    const { layout, ledger } = newLedger();
    await ledger.note(generateUlid());
    unlinkSync(ledgerPath(layout, MORNING));
    const later = generateUlid();
    await ledger.note(later);
    expect(linesOf(ledgerPath(layout, MORNING))).toEqual([later]);
    ledger.close();
  });

  it("V1: a write that fails is told once, and made up for with the next one", async () => {
    const { layout, faulty, events, ledger } = newLedger();
    const ids = Array.from({ length: 3 }, () => generateUlid());
    faulty.fail({ method: "write", errno: "ENOSPC" });
    await ledger.note(ids[0] as string);
    await ledger.note(ids[1] as string);
    expect(events.named("ledger_write_failed")).toEqual([{ errno: "ENOSPC", count: 1 }]);
    faulty.fail(undefined);
    await ledger.note(ids[2] as string);
    expect(linesOf(ledgerPath(layout, MORNING))).toEqual(ids);
    ledger.close();
  });

  it("V1: is not written through a symbolic link, and captures go on", async () => {
    const { layout, events, ledger } = newLedger();
    const elsewhere = join(freshDirectory(), "elsewhere");
    symlinkSync(elsewhere, ledgerPath(layout, MORNING));
    await ledger.note(generateUlid());
    expect(existsSync(elsewhere)).toBe(false);
    expect(events.named("ledger_write_failed")).toEqual([{ errno: "ELOOP", count: 1 }]);
    ledger.close();
  });
});

describe("counting from a mark", () => {
  it("Q11: counts what other processes noted too", async () => {
    const { layout, clock, events, ledger } = newLedger();
    const other = new Ledger({ fs: nodeDurableFsSync, layout, clock, events });
    await ledger.note(generateUlid());
    const mark = ledger.mark();
    expect(ledger.countSince(mark)).toBe(0);
    await Promise.all([ledger.note(generateUlid()), other.note(generateUlid())]);
    await other.note(generateUlid());
    expect(ledger.countSince(mark)).toBe(3);
    ledger.close();
    other.close();
  });

  it("V1: lets go of a file that it could not look at, and of one that does not close", async () => {
    const { events, faulty, ledger } = newLedger();
    const count = (method: string) => faulty.methods().filter((name) => name === method).length;
    faulty.fail({ method: "factsOfDescriptor", errno: "EIO" });
    await ledger.note(generateUlid());
    expect(events.named("ledger_write_failed")).toEqual([{ errno: "EIO", count: 1 }]);
    expect([count("openLog"), count("close")]).toEqual([1, 1]);
    faulty.fail(undefined);
    await ledger.note(generateUlid());
    faulty.fail({ method: "close", errno: "EIO", afterwards: true });
    expect(() => ledger.close()).not.toThrow();
    expect([count("openLog"), count("close")]).toEqual([2, 2]);
  });

  it("Q4: a ledger that can be neither written nor closed fails no capture", async () => {
    const { fs, fail } = faultyFsSync();
    let broken = false;
    const close = (fd: number): void => {
      fs.close(fd);
      if (broken) throw systemError("EIO");
    };
    const queue = new CaptureQueue({ queueDir: freshDirectory(), fsSync: { ...fs, close } });
    await queue.append({ surface: "before" });
    broken = true;
    fail({ method: "write", errno: "EIO" });
    await expect(queue.append({ surface: "after" })).resolves.toMatchObject({ state: "pending" });
    await expect(queue.close()).resolves.toBeUndefined();
  });

  it("Q11: counts across the turn of the hour, and gives up beyond two hours", async () => {
    const { clock, ledger } = newLedger();
    const mark = ledger.mark();
    await ledger.note(generateUlid());
    clock.advance(3_600_000);
    await ledger.note(generateUlid());
    expect(ledger.countSince(mark)).toBe(2);
    clock.advance(3_600_000);
    expect(ledger.countSince(mark)).toBe(Number.POSITIVE_INFINITY);
    ledger.close();
  });

  it("Q11: counts its own exactly, however the clock is set back and forth", async () => {
    const { clock, ledger } = newLedger();
    const mark = ledger.mark();
    for (const stepMs of [-3_600_000, 0, 3_600_000, 3_600_000, -3_600_000]) {
      clock.step(stepMs);
      await ledger.note(generateUlid());
    }
    expect(ledger.countSince(mark)).toBe(5);
    ledger.close();
  });

  it("Q11: counts what could not be written, once, also after it was written", async () => {
    const { faulty, ledger } = newLedger();
    await ledger.note(generateUlid());
    faulty.fail({ method: "write", errno: "EIO" });
    await ledger.note(generateUlid());
    const mark = ledger.mark();
    await ledger.note(generateUlid());
    expect(ledger.countSince(mark)).toBe(1);
    faulty.fail(undefined);
    await ledger.note(generateUlid());
    expect(ledger.countSince(mark)).toBe(2);
    ledger.close();
  });

  it("Q11: a torn line counts as one", async () => {
    const { layout, ledger } = newLedger();
    const mark = ledger.mark();
    await ledger.note(generateUlid());
    const fd = nodeDurableFsSync.openAppend(ledgerPath(layout, MORNING));
    nodeDurableFsSync.write(fd, Buffer.from("01JQ7Z8"), 0, 7);
    nodeDurableFsSync.close(fd);
    expect(7).toBeLessThan(LEDGER_LINE_BYTES);
    expect(ledger.countSince(mark)).toBe(2);
    ledger.close();
  });
});
