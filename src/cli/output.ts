/**
 * The only writer to stdout beside the protocol's transport.
 *
 * Guarantees: with `--json` exactly one JSON document goes to stdout, an error too; without it an
 * error is one line on stderr. Colours only on a terminal and never with NO_COLOR; progress only on
 * stderr and only when that is a terminal. A reader that leaves early (`| head`) is no error; one
 * that is slow gets everything, and a disk that takes no more is noticed (`settled`).
 */
import type { Writable } from "node:stream";
import { stripVTControlCharacters, styleText } from "node:util";
import type { Environment } from "../config/resolve-config.ts";
import { MemspoolError, reportError } from "../errors.ts";
import { breakLongWords, hang } from "./printable.ts";

export type OutputStream = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};
export type Style = Parameters<typeof styleText>[0];

export interface Column {
  readonly head: string;
  /** In terminal cells; one column without it takes what is left. */
  readonly width?: number;
}

export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

const WIDTH_DEFAULT = 100;
const WIDTH_MIN = 60;
const WIDTH_MAX = 160;
const COLUMN_WIDTH_MIN = 16;
/** The table's own, on both sides of a cell together. */
const PADDING_CELLS = 2;

export class Output {
  readonly json: boolean;
  readonly terminal: boolean;
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  readonly #colours: boolean;
  readonly #errorColours: boolean;
  /** Ends with the last write to stdout, and with it all before. */
  #lastWrite: Promise<void> = Promise.resolve();
  #failure: NodeJS.ErrnoException | undefined;

  constructor(
    streams: { stdout: OutputStream; stderr: OutputStream; env: Environment },
    json: boolean,
  ) {
    this.json = json;
    this.#stdout = streams.stdout;
    this.#stderr = streams.stderr;
    this.terminal = streams.stdout.isTTY === true;
    const wanted = !streams.env.NO_COLOR && streams.env.TERM !== "dumb";
    this.#colours = wanted && this.terminal;
    this.#errorColours = wanted && streams.stderr.isTTY === true;
  }

  /** The answer to `--json`. */
  document(value: unknown): void {
    this.#put(`${JSON.stringify(value, null, this.terminal ? 2 : 0)}\n`);
  }

  /** One of many documents, on a line of its own. */
  row(value: unknown): void {
    this.#put(`${JSON.stringify(value)}\n`);
  }

  line(text = ""): void {
    this.#put(`${text}\n`);
  }

  /** A name and what there is to say of it; on a terminal its further lines stand below the first. */
  entry(name: string, nameCells: number, text: string): void {
    const label = " ".repeat(Math.max(0, nameCells - stripVTControlCharacters(name).length));
    const shown = this.terminal ? hang(text, this.#columns, nameCells) : text;
    this.line(`${name}${label}${shown}`);
  }

  bytes(bytes: Uint8Array): void {
    this.#put(bytes);
  }

  /**
   * A piece of a long answer; resolves when it was taken, so that no more piles up. What becomes of
   * one that can not be written, `settled` says.
   */
  async piece(text: string): Promise<void> {
    this.#put(text);
    await this.#lastWrite;
  }

  /** Of the terminal; without bounds where there is none. One of unknown size is taken for small. */
  get size(): { readonly columns: number; readonly rows: number } {
    if (!this.terminal)
      return { columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY };
    return { columns: this.#stdout.columns || 80, rows: this.#stdout.rows || 24 };
  }

  /** @returns takes the listener away again */
  onResize(listener: () => void): () => void {
    this.#stdout.on("resize", listener);
    return () => this.#stdout.off("resize", listener);
  }

  /** Whether the reader went away before it had everything, as `head` does. */
  get readerLeft(): boolean {
    return this.#failure !== undefined && isClosedPipe(this.#failure);
  }

  /**
   * Resolves when the reader has taken everything, however slow it is, to the reason why it could
   * not be written. At once if nothing was.
   */
  async settled(): Promise<NodeJS.ErrnoException | undefined> {
    await this.#lastWrite;
    return this.#failure !== undefined && isClosedPipe(this.#failure) ? undefined : this.#failure;
  }

  /** For the person, beside the answer. */
  note(text: string): void {
    this.#stderr.write(`${text}\n`);
  }

  style(style: Style, text: string): string {
    return this.#colours ? paint(style, text) : text;
  }

  async table(columns: readonly Column[], rows: readonly (readonly string[])[]): Promise<void> {
    const { default: Table } = await import("cli-table3");
    const widths = this.#widths(columns);
    const table = new Table({
      head: columns.map(({ head }) => this.style("bold", head)),
      colWidths: widths,
      wordWrap: true,
      // Its own colours would not ask for NO_COLOR.
      style: { head: [], border: [] },
    });
    for (const row of rows) {
      table.push(row.map((cell, n) => breakLongWords(cell, (widths[n] ?? 0) - PADDING_CELLS)));
    }
    this.line(table.toString());
  }

  /** @param label what is being done, such as `draining` */
  async progress(label: string): Promise<Progress> {
    if (this.#stderr.isTTY !== true) return { update: () => {}, stop: () => {} };
    const { default: cliProgress } = await import("cli-progress");
    const bar = new cliProgress.SingleBar({
      format: `${label} [{bar}] {value}/{total} {duration_formatted}`,
      stream: this.#stderr,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: 30,
      hideCursor: true,
      // Signals are the program's business; its handler stops the bar by ending the command.
      gracefulExit: false,
    });
    let started = false;
    return {
      update: (done, total) => {
        if (!started) bar.start(total, done);
        started = true;
        bar.setTotal(total);
        bar.update(done);
      },
      stop: () => {
        if (started) bar.stop();
        started = false;
      },
    };
  }

  /** One line "what happened, what to do" with its code, or `{error}`. */
  error(error: unknown): void {
    const { code, message, retryable, details } = reportError(error);
    if (this.json) {
      this.document({ error: { code, message, retryable, details } });
      return;
    }
    const label = this.#errorColours ? paint("red", "error") : "error";
    this.note(`${label} ${code}: ${message}`);
    if (!(error instanceof MemspoolError) && error instanceof Error && error.stack !== undefined) {
      this.note(error.stack);
    }
  }

  #put(chunk: string | Uint8Array): void {
    this.#lastWrite = new Promise((resolve) => {
      this.#stdout.write(chunk, (error) => {
        this.#failure ??= error ?? undefined;
        resolve();
      });
    });
  }

  get #columns(): number {
    // A terminal of unknown size says 0.
    const columnsSeen = this.#stdout.columns || WIDTH_DEFAULT;
    return Math.min(Math.max(columnsSeen, WIDTH_MIN), WIDTH_MAX);
  }

  #widths(columns: readonly Column[]): number[] {
    const fixed = columns.reduce((sum, { width }) => sum + (width ?? 0), 0);
    const left = Math.max(this.#columns - fixed - columns.length - 1, COLUMN_WIDTH_MIN);
    return columns.map(({ width }) => width ?? left);
  }
}

/**
 * Keeps a stdout that fails from ending the process: whoever writes asks `settled` what happened.
 * @param onLost nothing that is written from now on arrives
 * @returns takes the listener away again
 */
export function watchForLoss(stream: OutputStream, onLost: () => void): () => void {
  stream.on("error", onLost);
  return () => stream.off("error", onLost);
}

/** A reader that went away wants no more of us; anything else is a real failure to write. */
function isClosedPipe({ code }: NodeJS.ErrnoException): boolean {
  return code === "EPIPE" || code === "ERR_STREAM_DESTROYED";
}

function paint(style: Style, text: string): string {
  // Whether to paint was decided above; newer versions of Node would ask process.stdout again.
  return styleText(style, text, { validateStream: false });
}
