import { describe, expect, it } from "vitest";
import { Output, type OutputStream, watchForLoss } from "../../src/cli/output.ts";
import {
  clip,
  counted,
  manyLines,
  oneLine,
  shortBytes,
  shortDuration,
  shortTime,
} from "../../src/cli/printable.ts";
import { MemspoolError } from "../../src/errors.ts";
import { MemoryStream } from "../support/run-program.ts";

function make(terminal: boolean, env: Record<string, string> = {}, json = false) {
  const stdout = new MemoryStream();
  const stderr = new MemoryStream();
  stdout.isTTY = stderr.isTTY = terminal;
  const streams = { stdout, stderr } as unknown as { stdout: OutputStream; stderr: OutputStream };
  const output = new Output({ ...streams, env }, json);
  return { output, stdout, stderr, text: () => stdout.bytes().toString("utf8") };
}

const ESC = "\u001b";

describe("colours", () => {
  it("C1: only on a terminal, and never with NO_COLOR or a dumb one", () => {
    expect(make(true).output.style("red", "x")).toContain(ESC);
    expect(make(false).output.style("red", "x")).toBe("x");
    expect(make(true, { NO_COLOR: "1" }).output.style("red", "x")).toBe("x");
    expect(make(true, { NO_COLOR: "" }).output.style("red", "x")).toContain(ESC);
    expect(make(true, { TERM: "dumb" }).output.style("red", "x")).toBe("x");
  });

  it("C1: the same holds for errors on stderr", () => {
    const error = new MemspoolError("NOT_FOUND", "Gone.");
    const coloured = make(true);
    coloured.output.error(error);
    expect(coloured.stderr.bytes().toString()).toContain(ESC);
    const plain = make(true, { NO_COLOR: "1" });
    plain.output.error(error);
    expect(plain.stderr.bytes().toString()).toBe("error NOT_FOUND: Gone.\n");
  });
});

describe("tables", () => {
  it("C1: fit the terminal and wrap the column without a width", async () => {
    const { output, stdout, text } = make(false);
    stdout.columns = 70;
    await output.table([{ head: "a", width: 10 }, { head: "b" }], [["1", "word ".repeat(40)]]);
    const lines = text().trimEnd().split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBe(70);
    expect(text()).not.toContain("…");
    expect(text().match(/word/g)).toHaveLength(40);
    expect(text()).not.toContain(ESC);
  });

  it("C1: a terminal that does not know its size gets the usual width", async () => {
    const { output, stdout, text } = make(true);
    stdout.columns = 0;
    await output.table([{ head: "a" }], [["1"]]);
    expect(text().split("\n")[0]).toHaveLength(100);
  });

  it("C1: wide characters take two cells", async () => {
    const { output, text } = make(false);
    await output.table([{ head: "a" }], [["記憶".repeat(60)]]);
    expect(text().replaceAll(/[^記憶]/g, "")).toBe("記憶".repeat(60));
  });
});

describe("entries", () => {
  it("C1: on a terminal a long one goes on below itself, elsewhere it is one line", () => {
    const onTerminal = make(true);
    onTerminal.stdout.columns = 60;
    const words = Array(30).fill("word").join(" ");
    onTerminal.output.entry(onTerminal.output.style("red", "name"), 10, words);
    const lines = onTerminal.text().replaceAll("\u001b[31m", "").replaceAll("\u001b[39m", "");
    expect(lines).toMatch(/^name {6}(word ?){10}\n( {10}(word ?){10}\n){2}$/);
    const piped = make(false);
    piped.output.entry("name", 10, words);
    expect(piped.text()).toBe(`name      ${words}\n`);
  });
});

describe("a stdout that fails", () => {
  function failingWith(code: string) {
    const made = make(false);
    let losses = 0;
    watchForLoss(made.stdout as unknown as OutputStream, () => losses++);
    made.stdout._write = (_chunk, _encoding, done) => done(Object.assign(new Error(), { code }));
    made.output.line("first");
    made.output.line("second");
    return { ...made, losses: () => losses };
  }

  it("X2: a reader that leaves is no failure, but ends the work", async () => {
    const { output, losses } = failingWith("EPIPE");
    expect(await output.settled()).toBeUndefined();
    expect(losses()).toBe(1);
  });

  it("C1: a disk that takes no more is the failure of the first write", async () => {
    const { output, losses } = failingWith("ENOSPC");
    expect(await output.settled()).toMatchObject({ code: "ENOSPC" });
    expect(losses()).toBe(1);
  });

  it("C1: output that was never used has settled", async () => {
    expect(await make(false).output.settled()).toBeUndefined();
  });

  it("X2: the watch takes its listener away again", () => {
    const { stdout } = make(false);
    watchForLoss(stdout as unknown as OutputStream, () => {})();
    expect(stdout.listenerCount("error")).toBe(0);
  });
});

describe("printable", () => {
  it("X1: makes one line without control or reordering characters", () => {
    expect(oneLine(" a\r\n\tb\u0000\u001b]0;t\u0007 \u202ec\u2066 ")).toBe(
      "a b\u2400\u241b]0;t\u2407 \ufffdc\ufffd",
    );
    expect(manyLines("a\n\tb\r\u007f")).toBe("a\n\tb\u240d\u2421");
  });

  it("C1: clips between characters", () => {
    expect(clip("abc", 3)).toBe("abc");
    expect(clip("abcd", 3)).toBe("ab…");
    expect(clip("a\u{1f375}bc", 3)).toBe("a…");
  });

  it("C1: counts one and many", () => {
    expect([0, 1, 2].map((count) => counted(count, "record"))).toEqual([
      "0 records",
      "1 record",
      "2 records",
    ]);
  });

  it("C1: writes times, sizes and durations short", () => {
    expect(shortTime("2026-03-01T09:30:59.999+01:00")).toBe("2026-03-01 08:30Z");
    expect(shortTime("whenever")).toBe("whenever");
    expect([shortBytes(1_023), shortBytes(1_024), shortBytes(5_242_880)]).toEqual([
      "1023 B",
      "1.0 KiB",
      "5.0 MiB",
    ]);
    expect([999, 1_500, 120_000, 7_200_000].map(shortDuration)).toEqual([
      "999 ms",
      "1.5 s",
      "2 min",
      "2.0 h",
    ]);
  });
});
