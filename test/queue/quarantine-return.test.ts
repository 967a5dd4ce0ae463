import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { silentEvents } from "../../src/events/catalogue.ts";
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { SharedDirectorySync } from "../../src/platform/shared-directory-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { markPath, pendingPath } from "../../src/queue/layout.ts";
import { quarantine } from "../../src/queue/quarantine.ts";
import { type ReturnOutcome, returnFromQuarantine } from "../../src/queue/quarantine-return.ts";
import { recover } from "../../src/queue/recover.ts";
import { decodeEnvelope } from "../../src/record/envelope.ts";
import { faultyFs } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

const REASON = { code: "IDEMPOTENCY_CONFLICT", message: "why", attempts: 1 } as const;

/** A queue with one record in quarantine. */
async function bench() {
  const clock = new ManualClock(Date.now());
  const events = new RecordedEvents();
  const queue = new CaptureQueue({ queueDir: join(freshDirectory(), "queue") });
  const { layout } = queue;
  const { ulid } = await queue.append({ surface: "a heron", tags: ["bird"] });
  const pending = pendingPath(layout, ulid);
  const bytes = readFileSync(pending);
  const setAside = () =>
    quarantine({ fs: nodeDurableFsSync, layout, clock }, ulid, REASON) as string;
  const file = setAside();
  const quarantined = join(layout.quarantineDir, file);
  const back = async (fs: DurableFs = nodeDurableFs, name = file): Promise<ReturnOutcome> => {
    const directory = new SharedDirectorySync(fs, layout.dir);
    const quarantineDirectory = new SharedDirectorySync(fs, layout.quarantineDir);
    try {
      const parts = { fs, layout, clock, events, directory, quarantineDirectory };
      return await returnFromQuarantine(parts, name);
    } finally {
      await Promise.all([directory.close(), quarantineDirectory.close()]);
    }
  };
  const inQuarantine = () => readdirSync(layout.quarantineDir).sort();
  const queued = () => readdirSync(layout.dir).filter((name) => /^pending-|^\.tmp-/.test(name));
  /** Every whole envelope of the record, by name. */
  const wholeNames = () =>
    [layout.dir, layout.quarantineDir].flatMap((dir) =>
      readdirSync(dir)
        .filter((name) => /^pending-[0-9A-Z]+(\.\d+)?\.json$/.test(name))
        .filter((name) => decodeEnvelope(readFileSync(join(dir, name)), ulid)),
    );
  /** Retries and ingests until nothing is left, as a server and a person would; what was ingested. */
  const settle = async () => {
    const ingested: Buffer[] = [];
    for (let round = 0; round < 3; round++) {
      const names = inQuarantine().filter((name) => !name.includes("reason"));
      for (const name of names.filter((each) => each.startsWith("pending-"))) {
        await back(nodeDurableFs, name);
      }
      if (!existsSync(pending)) continue;
      ingested.push(readFileSync(pending));
      unlinkSync(pending);
    }
    return ingested;
  };
  const recoverNow = () => {
    recover({ fs: nodeDurableFsSync, layout, clock, events: silentEvents });
  };
  const all = { queue, layout, clock, events, ulid, pending, bytes, file, quarantined };
  return { ...all, setAside, back, inQuarantine, queued, wholeNames, settle, recoverNow };
}

function mark(path: string, ageMs: number): void {
  writeFileSync(path, JSON.stringify({ attempts: 3, faults: 3 }));
  const seconds = (Date.now() - ageMs) / 1_000;
  utimesSync(path, seconds, seconds);
}

describe("return from quarantine", () => {
  it("T10: brings the envelope back byte for byte, and leaves nothing behind", async () => {
    const { back, bytes, pending, inQuarantine, queued, file, events, ulid } = await bench();
    expect(inQuarantine()).toEqual([file, file.replace(".json", ".reason.json")]);
    expect(await back()).toBe("returned");
    expect(readFileSync(pending)).toEqual(bytes);
    expect([inQuarantine(), queued()]).toEqual([[], [file]]);
    expect(events.named("quarantine_returned")).toEqual([{ ulid }]);
    expect(await back()).toBe("gone");
  });

  it("T10: is pending for good before it leaves the quarantine", async () => {
    const { back, pending, layout } = await bench();
    const { fs, calls } = faultyFs();
    await back(fs);
    const steps = calls.map(({ method, args }) => `${method} ${args.at(-1)}`);
    const linked = steps.indexOf(`link ${pending}`);
    const synced = calls.findIndex(({ method }, n) => n > linked && method === "fsync");
    const opened = steps.indexOf(`openDirectory ${layout.dir}`);
    const left = steps.findIndex((step) =>
      /^unlink .*quarantine.pending-\w+\.\d{4}\.json$/.test(step),
    );
    expect(linked).toBeGreaterThan(-1);
    expect(opened).toBeGreaterThan(linked);
    expect(synced).toBeGreaterThan(opened);
    expect(left).toBeGreaterThan(synced);
    expect(steps.slice(left).some((step) => step.startsWith("fsync"))).toBe(true);
  });

  it("T10: starts afresh: a dead handler's mark goes, one that may be somebody's stays", async () => {
    const { back, layout, ulid, setAside, inQuarantine } = await bench();
    const path = markPath(layout, ulid);
    mark(path, 11_000);
    await back();
    expect(existsSync(path)).toBe(false);
    setAside();
    mark(path, 5_000);
    expect(await back()).toBe("returned");
    expect([existsSync(path), inQuarantine()]).toEqual([true, []]);
    unlinkSync(path);
    setAside();
    mkdirSync(path); // another program's lock
    utimesSync(path, 1, 1);
    expect(await back()).toBe("returned");
    expect(existsSync(path)).toBe(true);
  });

  it("T10: what is damaged stays where it is, with its fault", async () => {
    const { back, quarantined, bytes, inQuarantine, queued } = await bench();
    const before = inQuarantine();
    const faults: [string, Buffer][] = [
      ["ENVELOPE_NOT_JSON", bytes.subarray(0, 50)],
      ["ENVELOPE_CHECKSUM_MISMATCH", Buffer.from(bytes.toString().replace("heron", "crane"))],
      [
        "SCHEMA_VERSION_UNSUPPORTED",
        Buffer.from(bytes.toString().replace(/version":1/, 'version":2')),
      ],
    ];
    for (const [code, content] of faults) {
      writeFileSync(quarantined, content);
      expect(await back(), code).toMatchObject({ code });
      expect([inQuarantine(), queued()], code).toEqual([before, []]);
    }
    unlinkSync(quarantined);
    mkdirSync(quarantined);
    expect(await back()).toMatchObject({ code: "ENVELOPE_UNREADABLE" });
    await expect(back(nodeDurableFs, "notes.txt")).rejects.toThrow(TypeError);
  });

  it("T10: an id that is pending keeps both, whatever its bytes", async () => {
    const { back, pending, bytes, queue, ulid, inQuarantine } = await bench();
    const before = inQuarantine();
    for (const other of [{ surface: "a crane" }, { surface: "a heron", tags: ["other"] }]) {
      await queue.append(other, { retryUlid: ulid });
      const there = readFileSync(pending);
      expect(await back()).toMatchObject({ code: "ULID_CONFLICT" });
      expect([readFileSync(pending), inQuarantine()]).toEqual([there, before]);
      unlinkSync(pending);
    }
    writeFileSync(pending, bytes); // a return that a crash cut short
    expect(await back()).toBe("pending");
    expect([readFileSync(pending), inQuarantine()]).toEqual([bytes, before]);
  });

  it("T10: another text that takes the id at that moment keeps both, too", async () => {
    for (const other of [{ surface: "a crane" }, { surface: "a heron" }]) {
      const { back, pending, queue, ulid, inQuarantine } = await bench();
      const openExclusive: DurableFs["openExclusive"] = async (path) => {
        if (!existsSync(pending)) {
          await new Promise((resolve) => setImmediate(resolve));
          await queue.append(other, { retryUlid: ulid });
        }
        return nodeDurableFs.openExclusive(path);
      };
      expect(await back({ ...nodeDurableFs, openExclusive })).toMatchObject({
        code: "ULID_CONFLICT",
      });
      expect(inQuarantine()).toHaveLength(2);
    }
  });

  it("T10: leaves a record alone whose move into quarantine is under way; recovery ends it", async () => {
    const { back, pending, quarantined, inQuarantine, recoverNow } = await bench();
    linkSync(quarantined, pending); // one file, two names: a crash before the last unlink
    expect(await back()).toBe("pending");
    expect([existsSync(pending), inQuarantine().length]).toEqual([true, 2]);
    recoverNow();
    expect([existsSync(pending), inQuarantine().length]).toEqual([false, 2]);
    expect(await back()).toBe("returned");
    expect([existsSync(pending), inQuarantine()]).toEqual([true, []]);
  });

  it("T10: a record that is set aside again meanwhile is not lost", async () => {
    for (const moment of ["link", "fsync", "unlink", "openDirectory"] as const) {
      const { back, pending, file, setAside, wholeNames, inQuarantine } = await bench();
      const fs: DurableFs = { ...nodeDurableFs };
      let again: string | undefined;
      const hooked = async (...args: never[]) => {
        if (moment === "link") await nodeDurableFs.link(...(args as unknown as [string, string]));
        // The ingester has found the record, and could not store it this time either.
        if (again === undefined && existsSync(pending)) again = setAside();
        if (moment === "link") return;
        return (nodeDurableFs[moment] as (...all: never[]) => Promise<unknown>)(...args);
      };
      Object.assign(fs, { [moment]: hooked });
      expect(await back(fs), moment).toBe("returned");
      expect([again, wholeNames()], moment).toEqual([file, [file]]);
      expect(inQuarantine(), moment).toEqual([file, file.replace(".json", ".reason.json")]);
    }
  });

  it("T10: bytes that come from elsewhere at that moment are not taken for its own", async () => {
    const { back, pending, bytes, wholeNames, file, setAside, settle } = await bench();
    const fs: DurableFs = { ...nodeDurableFs };
    fs.link = async (from, to) => {
      writeFileSync(pending, bytes); // a faster retry in another process
      await nodeDurableFs.link(from, to);
    };
    expect(await back(fs)).toBe("pending");
    expect(wholeNames()).toHaveLength(2);
    // The ingester may let go of that name: this one keeps its own.
    expect(setAside()).toBe(file);
    expect(wholeNames()).toHaveLength(2);
    expect(await settle()).toEqual([bytes, bytes]);
    expect(wholeNames()).toEqual([]);
  });

  it("T10: many at once bring it back, and at most one of them says so", async () => {
    for (let round = 0; round < 10; round++) {
      const { back, pending, bytes, settle, wholeNames } = await bench();
      const outcomes = await Promise.all(Array.from({ length: 4 }, () => back()));
      expect(outcomes.filter((outcome) => outcome === "returned").length).toBeLessThanOrEqual(1);
      expect(wholeNames().length).toBeGreaterThan(0);
      expect(existsSync(pending)).toBe(true);
      const ingested = await settle();
      expect(ingested[0]).toEqual(bytes);
      expect(wholeNames()).toEqual([]);
    }
  });

  it("T10: whatever call fails, the record has a name, and repeating brings it home", async () => {
    const counting = faultyFs();
    await (await bench()).back(counting.fs);
    const methods = counting.methods();
    expect(methods.length).toBeGreaterThan(15);
    for (const [n, method] of methods.entries()) {
      const nth = methods.slice(0, n + 1).filter((each) => each === method).length;
      for (const afterwards of [false, true]) {
        const name = `${method} ${nth} ${afterwards}`;
        const { back, bytes, settle, wholeNames } = await bench();
        const { fs, fail } = faultyFs();
        fail({ method, nth, errno: "EIO", afterwards });
        const outcome = await back(fs);
        if (outcome instanceof MemspoolError) {
          expect(["DATA_DIR_UNUSABLE", "ENVELOPE_UNREADABLE"], name).toContain(outcome.code);
        }
        expect(wholeNames().length, name).toBeGreaterThan(0);
        expect((await settle())[0], name).toEqual(bytes);
        expect(wholeNames(), name).toEqual([]);
      }
    }
  });

  it("T10: whenever it dies, recovery and a retry bring the record home", async () => {
    const counting = faultyFs();
    await (await bench()).back(counting.fs);
    for (let calls = 1; calls <= counting.calls.length; calls++) {
      const { back, recoverNow, wholeNames, settle, bytes } = await bench();
      await back(dyingAfter(calls)).catch(() => {});
      expect(wholeNames().length, `${calls}`).toBeGreaterThan(0);
      recoverNow();
      expect(wholeNames().length, `${calls}`).toBeGreaterThan(0);
      expect((await settle())[0], `${calls}`).toEqual(bytes);
      expect(wholeNames(), `${calls}`).toEqual([]);
    }
  });

  it("T10: works where there are no hard links", async () => {
    const { back, pending, bytes, inQuarantine } = await bench();
    const { fs, fail } = faultyFs();
    fail({ method: "link", errno: "EPERM" });
    expect(await back(fs)).toBe("returned");
    expect([readFileSync(pending), inQuarantine()]).toEqual([bytes, []]);
  });
});

/** Every call from the nth on fails, as if nobody made it. */
function dyingAfter(calls: number): DurableFs {
  let made = 0;
  const entries = Object.entries(nodeDurableFs).map(([method, call]) => [
    method,
    async (...args: never[]) => {
      if (++made > calls) throw new Error("the process has died");
      return (call as (...all: never[]) => unknown)(...args);
    },
  ]);
  return Object.fromEntries(entries) as DurableFs;
}
