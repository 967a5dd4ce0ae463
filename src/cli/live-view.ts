/**
 * A screen that is drawn again and again, on the terminal's alternate screen.
 *
 * Guarantees: a frame is one write that overwrites the last one in place, between the marks of
 * synchronized output, so nothing flickers; lines are the caller's to cut, and the terminal does not
 * wrap them. `close` brings back the screen, the cursor, wrapping and the keyboard's mode, and so
 * does the end of the process whatever ends it but SIGKILL. Idempotent.
 */
import type { InputStream } from "./command-context.ts";
import type { Output } from "./output.ts";

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
/** Terminals that do not know the mode ignore it. */
const BEGIN_FRAME = "\u001b[?2026h\u001b[H";
const END_FRAME = "\u001b[J\u001b[?2026l";
const TO_LINE_END = "\u001b[K";
/** q, Ctrl-C, Ctrl-D and Escape alone; in raw mode Ctrl-C is a byte and no signal. */
const QUIT_KEYS = /^(?:[qQ\u0003\u0004]|\u001b$)/;

export interface LiveViewParts {
  readonly output: Output;
  readonly stdin: InputStream;
  readonly onQuit: () => void;
  readonly onResize: () => void;
}

export class LiveView {
  readonly #parts: LiveViewParts;
  readonly #isKeyboard: boolean;
  readonly #onKey = (bytes: Uint8Array | string) => {
    if (QUIT_KEYS.test(bytes.toString())) this.#parts.onQuit();
  };
  readonly #onExit = () => this.close();
  #stopResize: () => void;
  #isOpen = true;

  constructor(parts: LiveViewParts) {
    this.#parts = parts;
    const { stdin, output } = parts;
    this.#isKeyboard = stdin.isTTY === true && stdin.setRawMode !== undefined;
    process.once("exit", this.#onExit);
    output.bytes(Buffer.from(ENTER));
    this.#stopResize = output.onResize(() => parts.onResize());
    if (!this.#isKeyboard) return;
    stdin.setRawMode?.(true);
    stdin.on("data", this.#onKey);
    stdin.resume();
  }

  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    const body = lines.map((line) => `${line}${TO_LINE_END}`).join("\r\n");
    this.#parts.output.bytes(Buffer.from(`${BEGIN_FRAME}${body}${END_FRAME}`));
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { stdin, output } = this.#parts;
    process.off("exit", this.#onExit);
    this.#stopResize();
    if (this.#isKeyboard) {
      stdin.off("data", this.#onKey);
      stdin.setRawMode?.(false);
      stdin.pause();
    }
    output.bytes(Buffer.from(LEAVE));
  }
}
