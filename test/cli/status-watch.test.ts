import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { Output, type OutputStream } from "../../src/cli/output.ts";
import { LIVE_MS, watchStatus } from "../../src/cli/watch.ts";
import { MemspoolError } from "../../src/errors.ts";
import type { StatusReport } from "../../src/memory/memory.ts";
import { fakeStatus, makeFakeApp } from "../support/fake-app.ts";
import { FakeKeyboard, FakeTerminal } from "../support/fake-terminal.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { MemoryStream, run } from "../support/run-program.ts";

const MIB = 1_048_576;

type Found = Partial<StatusReport> | MemspoolError;
interface Room {
  readonly terminal: FakeTerminal;
  readonly keyboard: FakeKeyboard;
  readonly interrupt: () => void;
}
interface Set {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Record<string, string>;
  readonly json?: boolean;
  readonly terminal?: boolean;
}

/**
 * @param looks what each look finds; after the last one the watch is interrupted
 * @param between runs after each look, where time would pass
 */
async function watch(
  looks: readonly Found[],
  { columns = 80, rows = 24, env = {}, json = false, terminal: isTTY = true }: Set = {},
  between: (room: Room, looked: number) => void = () => {},
) {
  const terminal = new FakeTerminal(columns, rows);
  terminal.isTTY = isTTY;
  const stderr = new MemoryStream() as unknown as OutputStream;
  const output = new Output({ stdout: terminal as unknown as OutputStream, stderr, env }, json);
  const keyboard = new FakeKeyboard();
  const controller = new AbortController();
  const pauses: number[] = [];
  let looked = 0;
  const look = async () => {
    const found = looks[looked++];
    if (found instanceof MemspoolError) throw found;
    return fakeStatus(found);
  };
  const pause = async (ms: number) => {
    pauses.push(ms);
    between({ terminal, keyboard, interrupt: () => controller.abort() }, looked);
    // Keys arrive through the stream's own event.
    await new Promise(setImmediate);
    if (looked >= looks.length) controller.abort();
  };
  const exitCode = await watchStatus(
    { output, stdin: keyboard, env, signal: controller.signal },
    look,
    pause,
  );
  await output.settled();
  return { exitCode, terminal, keyboard, pauses, looked, text: terminal.bytes().toString("utf8") };
}

const depth = (count: number, p99 = 0): Partial<StatusReport> => {
  const ok = fakeStatus();
  return {
    queue: { ...ok.queue, depth: count },
    pressure: { ...ok.pressure, ack_ms: { p50: p99 / 2, p99 } },
  };
};

/** Everything that there can be to say at once. */
function fullStatus(): StatusReport {
  const ok = fakeStatus();
  const long = "A reason that is much longer than a line of any terminal is wide, so it goes on.";
  return fakeStatus({
    state: "failing",
    reasons: [long, long, long, long, long],
    data_dir: "/a/path/".repeat(30),
    project: "記憶".repeat(60),
    spool: { ...ok.spool, used_mb: 499, state: "hard", dropped_batches: 12 },
    spool_bytes: ok.spool_bytes && { ...ok.spool_bytes, used: 499 * MIB },
    pressure: {
      ...ok.pressure,
      waiting: 3,
      delayed: 44,
      refused: { quota: 12, early_drop: 5, memory: 6 },
      memory: { level: "shed", rss_bytes: 1, limit_bytes: 2, source: "heap" },
      governor: { state: "degraded", share_pct: 50, since: ok.now, cause: "stall" },
      ack_ms: { p50: 3, p99: 1_250 },
    },
    queue: {
      ...ok.queue,
      depth: 9_000,
      bytes: 7_000_000,
      oldest_age_ms: 90_000,
      age_histogram: [1, 10, 60, 600, 3_600, 86_400, 0].map((under_s) => ({
        under_s,
        count: 1_285,
      })),
      quarantined: 4,
      spilled: 800,
      forgetting: 2,
    },
    ingester: {
      ...ok.ingester,
      leader: { pid: 77, host: "h", since: ok.now },
      last_batch: { at: ok.now, count: 500, ms: 20 },
      delayed: {
        code: "STORE_UNAVAILABLE",
        reason: "busy",
        since: "2026-03-01T09:30:00.000Z",
        until: ok.now,
        failures: 2,
      },
    },
    store: {
      ...ok.store,
      state: "unavailable",
      error: { code: "STORE_UNAVAILABLE", message: long },
    },
    events: Array.from({ length: 10 }, (_, n) => ({
      time: `2026-03-01T09:30:0${n}.000Z`,
      severity: "warning" as const,
      code: "MEM_PRESSURE",
      message: `${long} \u001b[2J${n}`,
    })),
    hooks: { ...ok.hooks, captured: 5, failures: 1 },
    privacy: { private_spans: true, secrets: true, patterns: 2 },
    retention: { on: true, days: 30, projects: 2, forgotten: 9 },
  });
}

describe("the live view", () => {
  it("C1: draws the status in place, a frame a look, and never clears the screen", async () => {
    const { terminal, pauses, text } = await watch([depth(1), depth(2), depth(30)]);
    expect(terminal.frames).toHaveLength(4);
    expect(terminal.frames[0]?.at(-1)).toBe("q quits");
    expect(terminal.clears).toBe(0);
    expect(terminal.frames[3]?.join("\n")).toMatch(/^state {6}ok\n[\s\S]*queue {6}30 pending/);
    expect(pauses).toEqual([LIVE_MS, LIVE_MS, LIVE_MS]);
    // One write a frame: a terminal shows no half of one.
    const writes = terminal.chunks.map((chunk) => chunk.toString("utf8"));
    expect(writes.filter((write) => write.includes("\u001b[?2026h"))).toHaveLength(4);
    for (const write of writes.slice(1, -1))
      expect(write).toMatch(/^\u001b\[\?2026h[\s\S]*\u001b\[\?2026l$/);
    expect(text).not.toContain("\u001b[2J");
  });

  it("C1: shows depth and ack latency over time", async () => {
    const { terminal } = await watch([depth(0), depth(4, 10), depth(8, 80), depth(2, 20)]);
    const shown = terminal.frames.at(-1)?.join("\n") ?? "";
    expect(shown).toMatch(/^depth +▅█▃ 2, at most 8$/m);
    expect(shown).toMatch(/^ack p99 +▂█▃ 20 ms, at most 80 ms$/m);
  });

  it("C1: leaves screen, cursor, wrapping and keyboard as they were", async () => {
    const { terminal, keyboard } = await watch([depth(1)], {}, (room) => {
      expect(room.keyboard.isRaw).toBe(true);
      expect(Object.fromEntries(room.terminal.modes)).toMatchObject({
        "1049": true,
        "25": false,
        "7": false,
      });
    });
    expect(terminal.screen).toEqual(["$ memspool status --watch"]);
    expect(Object.fromEntries(terminal.modes)).toEqual({
      "1049": false,
      "25": true,
      "7": true,
      "2026": false,
    });
    expect(keyboard.isRaw).toBe(false);
    expect(keyboard.listenerCount("data")).toBe(0);
    expect(terminal.listenerCount("resize")).toBe(0);
    expect(process.listeners("exit").filter((listener) => /close/.test(String(listener)))).toEqual(
      [],
    );
  });

  it.each(["q", "Q", "\u0003", "\u0004", "\u001b"])("C1: key %j ends it", async (key) => {
    const looks = [depth(1), depth(2), depth(3)];
    const { looked, exitCode } = await watch(looks, {}, ({ keyboard }) => keyboard.write(key));
    expect([looked, exitCode]).toEqual([1, 0]);
  });

  it("C1: other keys do not, an arrow's sequence among them", async () => {
    const keys = ["x", "\u001b[A", "\r"];
    const looks = [depth(1), depth(2), depth(3)];
    const { looked } = await watch(looks, {}, ({ keyboard }, n) => keyboard.write(keys[n - 1]));
    expect(looked).toBe(3);
  });

  it("C1: ends with the exit code of the last state", async () => {
    const codes = [];
    for (const state of ["ok", "degraded", "failing"] as const) {
      codes.push((await watch([{ state: "ok" }, { state }])).exitCode);
    }
    expect(codes).toEqual([0, 1, 2]);
  });

  it.each([
    [80, 24],
    [40, 12],
    [20, 5],
    [7, 2],
    [3, 1],
    [200, 60],
  ])("C1: cuts to %i × %i, and wraps and scrolls nowhere", async (columns, rows) => {
    const { terminal } = await watch([fullStatus(), fullStatus()], { columns, rows });
    expect(terminal.overflows).toBe(0);
    const screen = terminal.frames[1] ?? [];
    expect(screen.length).toBeLessThanOrEqual(rows);
    if (columns >= 20) expect(screen[0]).toContain("failing");
  });

  it("C1: draws anew at once when the terminal's size changes", async () => {
    const { terminal } = await watch([depth(1)], {}, (room) => room.terminal.resize(30, 6));
    expect(terminal.frames).toHaveLength(3);
    expect(terminal.frames[2]).toHaveLength(6);
    expect(terminal.frames[2]?.join()).toContain("1 pending");
    expect(terminal.overflows).toBe(0);
  });

  it("C1: is without colours where none are wanted, and the bars stay", async () => {
    expect((await watch([fullStatus()])).terminal.colours).toBeGreaterThan(0);
    const plain = await watch([fullStatus()], { env: { NO_COLOR: "1" } });
    expect(plain.terminal.colours).toBe(0);
    expect(plain.terminal.frames[1]?.join("\n")).toMatch(/quota {6}\[█+/);
  });

  it("C1: shows what fails, and goes on looking", async () => {
    const away = new MemspoolError("DATA_DIR_UNUSABLE", "It can not be read. \u001b[2J See.");
    const { terminal, exitCode } = await watch([depth(1), away, depth(3)]);
    expect(terminal.frames[2]?.[0]).toBe("error DATA_DIR_UNUSABLE: It can not be read. ␛[2J See.");
    expect(terminal.frames[3]?.join("\n")).toContain("3 pending");
    expect(exitCode).toBe(0);
    expect((await watch([depth(1), away])).exitCode).toBe(1);
  });

  it("C1: is left at once while a look hangs", async () => {
    const terminal = new FakeTerminal(80, 24);
    terminal.isTTY = true;
    const stream = terminal as unknown as OutputStream;
    const output = new Output({ stdout: stream, stderr: stream, env: {} }, false);
    const { signal } = new AbortController();
    const stdin = new FakeKeyboard();
    const look = () => {
      stdin.write("q");
      return new Promise<StatusReport>(() => {});
    };
    expect(await watchStatus({ output, stdin, env: {}, signal }, look)).toBe(0);
    expect(terminal.screen).toEqual(["$ memspool status --watch"]);
  });

  it("C1: a fault of our own leaves the terminal as it was, too", async () => {
    const terminal = new FakeTerminal(80, 24);
    terminal.isTTY = true;
    const stream = terminal as unknown as OutputStream;
    const output = new Output({ stdout: stream, stderr: stream, env: {} }, false);
    const { signal } = new AbortController();
    const look = () => Promise.reject(new TypeError("ours"));
    const stdin = new FakeKeyboard();
    await expect(watchStatus({ output, stdin, env: {}, signal }, look)).rejects.toThrow("ours");
    expect(terminal.modes.get("25")).toBe(true);
    expect(stdin.isRaw).toBe(false);
  });
});

describe("without a terminal", () => {
  it("C1: prints the lines again and again, each as long as it is", async () => {
    const { text, pauses } = await watch([depth(1), fullStatus()], { terminal: false });
    expect(text).toBe(stripVTControlCharacters(text));
    expect(text.match(/^state /gm)).toHaveLength(2);
    expect(text).toContain(fullStatus().data_dir);
    expect(pauses).toEqual([2_000, 2_000]);
    const dumb = await watch([depth(1)], { env: { TERM: "dumb" } });
    expect(dumb.text).toBe(stripVTControlCharacters(dumb.text));
  });

  it("C1: --json is one document a line, also on a terminal", async () => {
    for (const terminal of [true, false]) {
      const { text } = await watch([depth(1), depth(2)], { terminal, json: true });
      const lines = text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as StatusReport);
      expect(lines.map(({ queue }) => queue.depth)).toEqual([1, 2]);
    }
  });

  it("C1: what fails is a line as well, and the next look comes", async () => {
    const away = new MemspoolError("DATA_DIR_UNUSABLE", "It can not be read. \u001b[2J See.");
    const looks = [depth(1), away, depth(3)];
    const plain = await watch(looks, { terminal: false });
    expect(plain.text).toContain("\nerror DATA_DIR_UNUSABLE: It can not be read. ␛[2J See.\n");
    expect(plain.text).toContain("3 pending");
    expect(plain.exitCode).toBe(0);
    const json = await watch(looks, { terminal: false, json: true });
    const lines = json.text.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).error?.code)).toEqual([
      ...[undefined, "DATA_DIR_UNUSABLE", undefined],
    ]);
    expect((await watch([away], { terminal: false })).exitCode).toBe(1);
  });

  it("C1: the command hands the terminal and the keyboard on", async () => {
    const app = makeFakeApp();
    const stdout = new FakeTerminal(80, 24);
    const stdin = new FakeKeyboard();
    app.memory.status = async () => {
      setImmediate(() => stdin.write("q")); // once this is drawn
      return fakeStatus({ state: "degraded", reasons: ["why"] });
    };
    const home = freshDirectory();
    const { exitCode } = await run(["status", "--watch"], {
      home,
      app,
      stdin,
      stdout,
      terminal: true,
    });
    expect(exitCode).toBe(1);
    expect(stdout.frames[1]?.slice(0, 2)).toEqual(["state      degraded", "           why"]);
    expect(app.closed).toBe(1);
  });
});

describe("status on one screen", () => {
  it("C1: fits 80 × 24 whatever there is to tell, state and reason first", async () => {
    const app = makeFakeApp();
    app.memory.status = async () => fullStatus();
    const stdout = new FakeTerminal(80, 24);
    await run(["status"], { home: freshDirectory(), app, stdout, terminal: true });
    const lines = stripVTControlCharacters(stdout.bytes().toString("utf8")).trimEnd().split("\n");
    expect(lines.length).toBeLessThan(24);
    expect(stdout.overflows).toBe(0);
    expect(lines[0]).toBe("state      failing");
    expect(lines[1]).toMatch(/^ {11}A reason that/);
    for (const name of ["queue", "age", "rate", "quota", "pressure", "pace", "ingester", "store"]) {
      expect(lines.filter((line) => line.startsWith(`${name} `))).toHaveLength(1);
    }
  });

  it("C1: has room for the whole quota line, says since when, and counts small quotas by tenths", async () => {
    const app = makeFakeApp();
    const ok = fakeStatus();
    const bytes = { pending: 0, spilled: 0, done: 0, trimmable: 0, temp: 0, quarantine: 0 };
    const lines = async (quotaMb: number, usedMib: number) => {
      app.memory.status = async () =>
        fakeStatus({
          state: "degraded",
          spool: { ...ok.spool, quota_mb: quotaMb, used_mb: Math.floor(usedMib), state: "normal" },
          spool_bytes: {
            ...{ ...bytes, free: 1, free_inodes: null, measured_ms_ago: 0 },
            ...{ used: usedMib * MIB, quota: quotaMb * MIB },
          },
          pressure: { ...ok.pressure, waiting: 1, since: "2026-03-01T09:30:00.000Z" },
        });
      const stdout = new FakeTerminal(80, 24);
      await run(["status"], { home: freshDirectory(), app, stdout, terminal: true });
      return stripVTControlCharacters(stdout.bytes().toString("utf8")).split(/\r?\n/);
    };
    const small = await lines(1, 0.987);
    expect(small[0]).toBe("state      degraded, under pressure since 2026-03-01 09:30Z");
    expect(small.join("\n")).toContain("98 %, 0.9 of 1 MiB, normal (soft 90, hard 100 %)");
    expect(small).toContain("pressure   1 capture waits");
    const large = await lines(512, 512.5);
    expect(large.join("\n")).toContain("100 %, 512 of 512 MiB, normal (soft 90, hard 100 %)");
  });

  it("C1: shows the state even where there is hardly any room", async () => {
    const app = makeFakeApp();
    app.memory.status = async () => fullStatus();
    const stdout = new FakeTerminal(10, 3);
    await run(["status"], { home: freshDirectory(), app, stdout, terminal: true });
    const [first] = stripVTControlCharacters(stdout.bytes().toString("utf8")).split(/\r?\n/);
    expect(first).toBe("failing");
    expect(stdout.overflows).toBe(0);
  });

  it("C1: shows the last five events where there is room", async () => {
    const app = makeFakeApp();
    const { events } = fullStatus();
    app.memory.status = async () => fakeStatus({ events });
    const stdout = new FakeTerminal(80, 24);
    await run(["status"], { home: freshDirectory(), app, stdout, terminal: true });
    const text = stdout.bytes().toString("utf8");
    expect(text.match(/MEM_PRESSURE/g)).toHaveLength(5);
    expect(text).toMatch(/^events {5}09:30:05 warning/m);
  });
});
