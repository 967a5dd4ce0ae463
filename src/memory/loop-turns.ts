/**
 * Long work on texts, in pieces between which the event loop serves other clients.
 *
 * Guarantees: no piece is longer than TURN_CHARS and one text. Counting a text's terms takes about
 * 0.2 µs a character here, so a piece is some 13 ms, and 200 ms for a text of 1 MiB.
 */
import { setImmediate as nextTurn } from "node:timers/promises";

const TURN_CHARS = 65_536;

export class LoopTurns {
  #chars = 0;

  /** Call it behind each text, with what was worked through. */
  async worked(chars: number): Promise<void> {
    this.#chars += chars;
    if (this.#chars < TURN_CHARS) return;
    this.#chars = 0;
    await nextTurn();
  }
}
