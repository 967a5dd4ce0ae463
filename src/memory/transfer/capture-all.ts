/**
 * Many captures at once, into a queue that may fill up meanwhile.
 *
 * Guarantees: at most CAPTURES_AT_ONCE are under way, so that they share directory fsyncs and memory
 * stays small. A full queue is given the chance to be drained, a bounded number of times; under
 * pressure it waits and goes on (patience.ts).
 */
import { MemspoolError } from "../../errors.ts";
import { inLanes } from "../in-lanes.ts";
import { Patience, type PatienceParts } from "./patience.ts";

const CAPTURES_AT_ONCE = 32;
/** Rounds in a row in which nothing found a place. */
const IDLE_ROUNDS_MAX = 3;

export interface RoomParts extends PatienceParts {
  /** Captures after which room is made unasked; for a queue that would lose its oldest. */
  readonly makeRoomEvery?: number | undefined;
}

export class CaptureAll {
  readonly #parts: RoomParts;
  readonly #patience: Patience;
  /** At first nobody knows how full the queue is. */
  #sinceRoom = Number.POSITIVE_INFINITY;
  #making: Promise<void> | undefined;

  constructor(parts: RoomParts) {
    this.#parts = parts;
    this.#patience = new Patience({ ...parts, makeRoom: () => this.#makeRoom() });
  }

  /** @throws what the first failing capture threw; QUEUE_FULL if no room can be made */
  async run<T>(items: readonly T[], capture: (item: T) => Promise<void>): Promise<void> {
    let left = items;
    // More under way than the room that is made would fill a small queue before its turn comes.
    const lanesMax = Math.min(CAPTURES_AT_ONCE, this.#parts.makeRoomEvery ?? CAPTURES_AT_ONCE);
    for (let idleRounds = 0; left.length > 0; ) {
      const refused: T[] = [];
      let full: unknown;
      await inLanes(left, lanesMax, async (item) => {
        await this.#makeRoomIfDue();
        try {
          await this.#patience.run(() => capture(item));
        } catch (error) {
          if (!(error instanceof MemspoolError && error.code === "QUEUE_FULL")) throw error;
          full = error;
          refused.push(item);
        }
      });
      if (refused.length === 0) return;
      // Only now: until the round is over, what was captured may not be there to be drained.
      idleRounds = refused.length < left.length ? 0 : idleRounds + 1;
      if (idleRounds === IDLE_ROUNDS_MAX) throw full;
      await this.#makeRoom();
      left = refused;
    }
  }

  async #makeRoomIfDue(): Promise<void> {
    const { makeRoomEvery } = this.#parts;
    if (makeRoomEvery !== undefined && this.#sinceRoom >= makeRoomEvery) await this.#makeRoom();
    this.#sinceRoom++;
  }

  /** Once for all lanes that ask at the same time. */
  #makeRoom(): Promise<void> {
    this.#making ??= this.#parts.makeRoom().finally(() => {
      this.#making = undefined;
      this.#sinceRoom = 0;
    });
    return this.#making;
  }
}
