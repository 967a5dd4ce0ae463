/**
 * Many captures at once, into a queue that may fill up meanwhile.
 *
 * Guarantees: at most CAPTURES_AT_ONCE are under way, so that they share directory fsyncs and memory
 * stays small. A full queue is given the chance to be drained, a bounded number of times.
 */
import { MemspoolError } from "../../errors.ts";
import { inLanes } from "../in-lanes.ts";

export const CAPTURES_AT_ONCE = 32;
/** Of one lane, while no capture succeeds in any. */
const ROOM_TRIES_MAX = 3;

export interface RoomParts {
  readonly makeRoom: () => Promise<void>;
  readonly makeRoomEvery?: number | undefined;
}

export class CaptureAll {
  readonly #parts: RoomParts;
  #sinceRoom = 0;
  #captured = 0;
  #making: Promise<void> | undefined;

  constructor(parts: RoomParts) {
    this.#parts = parts;
  }

  /** @throws what the first failing capture threw */
  async run<T>(items: readonly T[], capture: (item: T) => Promise<void>): Promise<void> {
    await inLanes(items, CAPTURES_AT_ONCE, (item) => this.#one(() => capture(item)));
  }

  async #one(capture: () => Promise<void>): Promise<void> {
    const { makeRoomEvery } = this.#parts;
    if (makeRoomEvery !== undefined && this.#sinceRoom >= makeRoomEvery) await this.#makeRoom();
    this.#sinceRoom++;
    let tries = 0;
    for (let seen = -1; ; ) {
      try {
        await capture();
        this.#captured++;
        return;
      } catch (error) {
        const isFull = error instanceof MemspoolError && error.code === "QUEUE_FULL";
        if (!isFull) throw error;
        // The places that were made may all have gone to other lanes: that is progress, too.
        tries = this.#captured > seen ? 1 : tries + 1;
        if (tries > ROOM_TRIES_MAX) throw error;
        seen = this.#captured;
        await this.#makeRoom();
      }
    }
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
