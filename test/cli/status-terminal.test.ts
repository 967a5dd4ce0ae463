/** The live view of the built program on a real terminal. */
import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { runBuilt } from "../support/built-program.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { needScript, type OnTerminal, onTerminal } from "../support/real-terminal.ts";

const LEFT = "\u001b[?7h\u001b[?25h\u001b[?1049l";

const ENDS: readonly [string, (terminal: OnTerminal) => void][] = [
  ["q", (terminal) => terminal.type("q")],
  ["Ctrl-C", (terminal) => terminal.type("\u0003")],
  ["SIGTERM", (terminal) => void process.kill(terminal.pid(), "SIGTERM")],
  ["SIGINT", (terminal) => void process.kill(terminal.pid(), "SIGINT")],
];

it.for(ENDS)(
  "C1: --watch on a real terminal of 80 × 24 ends cleanly at %s",
  async ([, end], context) => {
    needScript(context);
    const home = freshDirectory();
    await runBuilt(["capture", "something to see"], { home });
    const terminal = onTerminal(["status", "--watch"], home, "columns 80 rows 24");
    await terminal.shows("1 pending");
    end(terminal);
    const { exitCode, written } = await terminal.ended;
    expect(exitCode).toBe(0);
    expect(written.trimEnd().endsWith(LEFT)).toBe(true);
    expect(written.split("\u001b[?1049h")).toHaveLength(2);
    const frame = written.split("\u001b[H").at(-1) ?? "";
    const lines = stripVTControlCharacters(frame).split(/[\r\n]+/);
    expect(lines.length).toBeLessThanOrEqual(25);
    expect(Math.max(...lines.slice(0, 24).map((line) => line.length))).toBeLessThanOrEqual(80);
  },
);
