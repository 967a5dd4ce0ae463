/**
 * A terminal that draws what is written to it on a grid, as far as memspool uses one: text, colours,
 * the cursor's ways home and to the next line, erasing, and the private modes. Anything else that begins
 * with an escape fails the test.
 */
import { PassThrough } from "node:stream";
import { MemoryStream } from "./run-program.ts";

const SEQUENCE = /^\u001b\[(\??)([0-9;]*)([A-Za-z])/;

export class FakeTerminal extends MemoryStream {
  rows: number;
  /** What stands on the screen when the program leaves it again. */
  readonly #main = ["$ memspool status --watch"];
  #screen: string[] = [...this.#main];
  #row = 1;
  #column = 0;
  readonly modes = new Map<string, boolean>();
  /** Screens as they were when a synchronized frame ended. */
  readonly frames: string[][] = [];
  /** Lines that were written wider than the terminal. */
  overflows = 0;
  colours = 0;
  /** Whole-screen erasures, which flicker. */
  clears = 0;

  constructor(columns: number, rows: number) {
    super();
    this.columns = columns;
    this.rows = rows;
  }

  resize(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    this.emit("resize");
  }

  get screen(): string[] {
    return [...this.#screen];
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error) => void): void {
    let rest = chunk.toString("utf8");
    while (rest !== "") {
      const sequence = SEQUENCE.exec(rest);
      if (sequence !== null) {
        this.#obey(sequence);
        rest = rest.slice(sequence[0].length);
      } else {
        const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
        this.#put(character);
        rest = rest.slice(character.length);
      }
    }
    super._write(chunk, encoding, done);
  }

  #obey([whole, isPrivate, number = "", letter]: RegExpExecArray): void {
    if (isPrivate === "?" && (letter === "h" || letter === "l")) this.#setMode(number, letter);
    else if (letter === "m") this.colours++;
    else if (letter === "H" && number === "") this.#row = this.#column = 0;
    else if (letter === "K" && number === "") this.#eraseLine();
    else if (letter === "J" && number === "") this.#eraseBelow();
    else if (letter === "J") this.clears++;
    else throw new Error(`a sequence that this terminal does not know: ${JSON.stringify(whole)}`);
  }

  #setMode(number: string, letter: string): void {
    this.modes.set(number, letter === "h");
    if (number === "2026" && letter === "l") this.frames.push(this.screen);
    if (number !== "1049") return;
    this.#screen = letter === "h" ? [] : [...this.#main];
  }

  #put(character: string): void {
    if (character === "\r") this.#column = 0;
    else if (character === "\n") {
      // As the line discipline of a real one does, in raw mode, too.
      this.#row++;
      this.#column = 0;
    } else if (character === "\u001b") throw new Error("an escape that is no sequence");
    else {
      if (this.#column >= this.columns) this.overflows++;
      const line = (this.#screen[this.#row] ?? "").padEnd(this.#column, " ");
      this.#screen[this.#row] =
        `${line.slice(0, this.#column)}${character}${line.slice(this.#column + 1)}`;
      this.#column++;
    }
    if (this.#row >= this.rows && this.modes.get("1049") === true) this.overflows++;
  }

  #eraseLine(): void {
    this.#screen[this.#row] = (this.#screen[this.#row] ?? "").slice(0, this.#column);
  }

  #eraseBelow(): void {
    this.#eraseLine();
    this.#screen.length = this.#row + 1;
  }
}

/** The keyboard in front of it. */
export class FakeKeyboard extends PassThrough {
  readonly isTTY = true;
  isRaw = false;

  setRawMode(isRaw: boolean): void {
    this.isRaw = isRaw;
  }
}
