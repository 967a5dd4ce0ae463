/**
 * One writer rotates, and before each of its file calls in turn something happens: another writer
 * that takes its lock for stale rotates, too; or the writer dies. Whatever the call, no line may be
 * lost, doubled or torn. Controls show that a broken variant does not pass.
 */
import {
  linkSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { LOCK_STALE_MS } from "../../src/platform/rotation-lock.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { allLines, LIMITS, line, linesOf, logNames, openLogBench } from "../support/log-bench.ts";

const node = nodeDurableFsSync;
/** A writer so far ahead takes every lock for stale. */
const AHEAD_MS = LOCK_STALE_MS + 5_000;
/** More calls than any rotation makes; reaching it fails the test. */
const CALLS_MAX = 500;

/** Counts calls from `arm` on and acts before one of them; after a death every call fails. */
class Interrupter {
  readonly fs: DurableFsSync;
  calls = 0;
  #left: number | undefined;
  #act: () => void = () => {};
  #dead = false;

  constructor(base: DurableFsSync) {
    const entries = Object.entries(base) as [string, (...args: unknown[]) => unknown][];
    const wrapped = entries.map(([name, call]) => [
      name,
      (...args: unknown[]) => {
        this.#before();
        return call(...args);
      },
    ]);
    this.fs = Object.fromEntries(wrapped) as DurableFsSync;
  }

  arm(callsBefore: number, act: () => void): void {
    this.calls = 0;
    this.#left = callsBefore;
    this.#act = act;
  }

  die(): never {
    this.#dead = true;
    throw new Error("died");
  }

  /** No interruption any more, and a dead writer's descriptors can be closed. */
  disarm(): void {
    this.#left = undefined;
    this.#dead = false;
  }

  #before(): void {
    if (this.#dead) throw new Error("dead");
    if (this.#left === undefined) return;
    this.calls++;
    if (this.#left-- !== 0) return;
    this.#left = undefined;
    this.#act();
  }
}

interface Outcome {
  readonly reached: boolean;
  readonly expected: string[];
  /** May be there or not: its writer died before it was told. */
  readonly inHand: string;
  readonly found: string[];
  readonly names: string[];
}

interface Variant {
  readonly base?: DurableFsSync;
  readonly dies?: boolean;
  readonly backupsMax?: number;
}

/** Runs the scene with the interruption before call number `at` of the append that rotates. */
function scene(at: number, { base = node, dies = false, backupsMax = 100 }: Variant): Outcome {
  const path = join(freshDirectory(), "m.log");
  const limits = { ...LIMITS, backupsMax };
  const gone: string[] = [];
  // The hook keeps what is deleted on purpose; of a file heard of twice the lines count once.
  const beforeDelete = (backup: string) => gone.push(...linesOf(backup));
  const interrupter = new Interrupter(base);
  const a = openLogBench({ path, limits, fs: interrupter.fs, beforeDelete });
  const b = openLogBench({ path, limits, fs: base, aheadMs: AHEAD_MS, beforeDelete });
  const expected: string[] = [];
  const write = (writer: typeof a, text: string) => {
    writer.log.append(text);
    expected.push(text);
  };
  for (let n = 1; n <= 6; n++) write(a, line("a", n));
  write(b, line("b", 0));
  write(a, line("a", 7));
  let reached = false;
  interrupter.arm(at, () => {
    reached = true;
    if (dies) interrupter.die();
    for (let n = 1; n <= 5; n++) write(b, line("b", n));
  });
  const inHand = line("a", 8);
  try {
    write(a, inHand);
  } catch (error) {
    if (!dies) throw error;
  }
  interrupter.disarm();
  if (dies && reached) a.log.close();
  else for (let n = 9; n <= 12; n++) write(a, line("a", n));
  for (let n = 6; n <= 9; n++) write(b, line("b", n));
  b.log.close();
  openLogBench({ path, limits, aheadMs: 2 * AHEAD_MS }).log.open();
  const kept = allLines(path);
  const found = [...kept, ...new Set(gone.filter((text) => !kept.includes(text)))].sort();
  return { reached, expected: expected.sort(), inHand, found, names: logNames(path) };
}

/** Every scene that there is for the variant. */
function scenes(variant: Variant): Outcome[] {
  const outcomes: Outcome[] = [];
  for (let at = 0; at < CALLS_MAX; at++) {
    const outcome = scene(at, variant);
    if (!outcome.reached) return outcomes;
    outcomes.push(outcome);
  }
  throw new Error("a rotation makes more calls than expected");
}

function lost({ expected, found }: Outcome): string[] {
  return expected.filter((text) => !found.includes(text));
}

describe("the lock", () => {
  function rotatedFirst(blindA: (fs: DurableFsSync) => DurableFsSync): string[] {
    const path = join(freshDirectory(), "m.log");
    const b = openLogBench({ path });
    let armed = false;
    const a = openLogBench({
      path,
      fs: blindA({
        ...node,
        openExclusive: (name) => {
          // In the instant before A has the lock, B rotates and is done.
          if (armed && name.endsWith(".lock")) {
            armed = false;
            b.log.append(line("b", 1));
          }
          return node.openExclusive(name);
        },
      }),
    });
    a.log.append(line("a", 1));
    a.log.append(line("a", 2));
    armed = true;
    a.log.append(line("a", 3));
    expect(armed).toBe(false);
    expect(allLines(path)).toHaveLength(4);
    return logNames(path);
  }

  it("L2: what is due is looked at again under the lock: two writers do not rotate twice", () => {
    expect(rotatedFirst((fs) => fs)).toEqual(["m.log", "m.log.1"]);
  });

  it("control: without that second look the file of one line is rotated, too", () => {
    const names = rotatedFirst((fs) => {
      let locked = false;
      return {
        ...fs,
        openExclusive: (name) => {
          const fd = fs.openExclusive(name);
          locked = true;
          return fd;
        },
        facts: (name) => ({
          ...fs.facts(name),
          ...(locked && name.endsWith("m.log") && { bytes: 20 }),
        }),
        unlink: (name) => {
          if (name.endsWith(".lock")) locked = false;
          fs.unlink(name);
        },
      };
    });
    expect(names).toEqual(["m.log", "m.log.1", "m.log.2"]);
  });

  it("L2: a lock that another holds makes nobody wait; a stale or post-dated one is taken over", () => {
    const path = join(freshDirectory(), "m.log");
    const { log, time } = openLogBench({ path });
    writeFileSync(`${path}.lock`, "theirs");
    const inTheirHands = `${path}.moving-1-0123456789ab`;
    writeFileSync(inTheirHands, `${line("a", 0)}\n`);
    for (let n = 1; n <= 5; n++) log.append(line("a", n));
    expect(linesOf(path)).toHaveLength(5);
    expect(linesOf(inTheirHands)).toEqual([line("a", 0)]);
    time.advance(LOCK_STALE_MS - 1_000);
    log.append(line("a", 6));
    expect(readFileSync(`${path}.lock`, "utf8")).toBe("theirs");
    time.advance(2_000);
    log.append(line("a", 7));
    expect(logNames(path)).toEqual(["m.log", "m.log.1", "m.log.2"]);
    expect(linesOf(`${path}.2`)).toEqual([line("a", 0)]);
    writeFileSync(`${path}.lock`, "from the future");
    const aheadS = Date.now() / 1000 + 3_600;
    utimesSync(`${path}.lock`, aheadS, aheadS);
    for (let n = 8; n <= 9; n++) log.append(line("a", n));
    expect(logNames(path)).toEqual(["m.log", "m.log.1", "m.log.2", "m.log.3"]);
    expect(() => unlinkSync(`${path}.lock`)).toThrow("ENOENT");
  });

  it("L2: a lock that comes alive while it is taken for stale is given back", () => {
    const path = join(freshDirectory(), "m.log");
    const lockPath = `${path}.lock`;
    writeFileSync(lockPath, "dead");
    let armed = true;
    const fs: DurableFsSync = {
      ...node,
      rename: (from, to) => {
        if (armed && from === lockPath) {
          armed = false;
          unlinkSync(lockPath);
          writeFileSync(lockPath, "alive");
          utimesSync(lockPath, 1, 1);
        }
        node.rename(from, to);
      },
    };
    const { log } = openLogBench({ path, fs, aheadMs: AHEAD_MS });
    for (let n = 1; n <= 3; n++) log.append(line("a", n));
    expect(readFileSync(lockPath, "utf8")).toBe("alive");
    expect(linesOf(path)).toHaveLength(3);
  });
});

describe("a rotation that is interrupted", () => {
  it("L2: by another that takes its lock for stale, at any call: nothing is lost or doubled", () => {
    const outcomes = scenes({});
    expect(outcomes.length).toBeGreaterThan(30);
    for (const { found, expected, names } of outcomes) {
      expect(found).toEqual(expected);
      expect(names.filter((name) => name.includes("moving"))).toEqual([]);
    }
  });

  it("L2: by death, at any call: nothing is lost or doubled, and a later one puts all in order", () => {
    const outcomes = scenes({ dies: true });
    expect(outcomes.length).toBeGreaterThan(30);
    for (const { found, expected, inHand, names } of outcomes) {
      expect(found.filter((text) => text !== inHand)).toEqual(
        expected.filter((text) => text !== inHand),
      );
      expect(found.filter((text) => text === inHand).length).toBeLessThanOrEqual(1);
      expect(names.filter((name) => name.includes("moving"))).toEqual([]);
    }
  });

  it.each([false, true])(
    "L2: while it deletes the oldest, too: only what the hook heard of is gone (death: %s)",
    (dies) => {
      for (const { found, expected, inHand } of scenes({ dies, backupsMax: 2 })) {
        expect(found.filter((text) => text !== inHand)).toEqual(
          expected.filter((text) => text !== inHand),
        );
      }
    },
  );

  it("L2: and the same where there are no hard links, by death", () => {
    const noLinks: DurableFsSync = {
      ...node,
      link: () => {
        throw Object.assign(new Error("EPERM"), { code: "EPERM" });
      },
    };
    for (const outcome of scenes({ base: noLinks, dies: true })) expect(lost(outcome)).toEqual([]);
  });

  it("L2: a start brings home what a crash left, each file once, and sweeps locks of the dead", () => {
    const path = join(freshDirectory(), "m.log");
    for (const name of ["m.log", "m.log.1", "m.log.3"]) {
      writeFileSync(join(path, "..", name), `${name}\n`);
    }
    const moving = (slot: number, n: number) =>
      `${path}.moving-${slot}-${String(n).padStart(12, "0")}`;
    writeFileSync(moving(2, 1), "between\n");
    writeFileSync(moving(3, 2), "its slot is taken\n");
    linkSync(`${path}.1`, moving(1, 3));
    linkSync(path, moving(1, 4));
    writeFileSync(`${path}.lock.0123456789ab`, "");
    openLogBench({ path }).log.open();
    expect(readdirSync(join(path, "..")).sort()).toEqual([
      "m.log",
      ...[1, 2, 3, 4].map((n) => `m.log.${n}`),
    ]);
    expect(linesOf(`${path}.2`)).toEqual(["between"]);
    expect(linesOf(`${path}.4`)).toEqual(["its slot is taken"]);
  });

  it("control: moves that overwrite lose lines in some of these scenes", () => {
    const overwriting: DurableFsSync = { ...node, link: node.rename };
    const outcomes = scenes({ base: overwriting });
    expect(outcomes.filter((outcome) => lost(outcome).length > 0).length).toBeGreaterThan(0);
  });

  it("control: a deletion that does not look what it deletes loses lines that no hook heard of", () => {
    const reading = new Set<number>();
    const nothing = { ino: -1, bytes: -1 };
    const unlooking: DurableFsSync = {
      ...node,
      openRead: (path) => {
        const fd = node.openRead(path);
        reading.add(fd);
        return fd;
      },
      close: (fd) => {
        reading.delete(fd);
        node.close(fd);
      },
      factsOfDescriptor: (fd) => ({
        ...node.factsOfDescriptor(fd),
        ...(reading.has(fd) && nothing),
      }),
      facts: (path) => ({ ...node.facts(path), ...(path.includes(".moving-") && nothing) }),
    };
    const outcomes = scenes({ base: unlooking, backupsMax: 2 });
    expect(outcomes.filter((outcome) => lost(outcome).length > 0).length).toBeGreaterThan(0);
  });
});
