/**
 * How fast the ingester works: a share of its full pace, which the governor of its process sets.
 *
 * Guarantees: at the full pace nothing is held up. Below it batches are smaller, one record at least,
 * and after each comes a pause as long as the batch took, times what is missing to the full pace:
 * at a quarter three times as long, PAUSE_MS_MAX at most. `stop` cuts a pause short and no further
 * one begins; a wake-up or a flush does not, so that a drain asked for goes on at the same pace.
 */
const PAUSE_MS_MAX = 2_000;
/** However long a batch took, a share of nothing would be a pause for ever. */
const SHARE_MIN = 0.01;

export class Pace {
  #share = 1;
  #stopped = false;
  #pausedMs = 0;
  #end: (() => void) | undefined;

  get share(): number {
    return this.#share;
  }

  /** Of all pauses since the start, as they were meant. */
  get pausedMs(): number {
    return this.#pausedMs;
  }

  /** @param share of the full pace, from 0 to 1; holds from the next batch on */
  set(share: number): void {
    this.#share = Math.min(1, Math.max(SHARE_MIN, share));
  }

  /** Records in the next batch, where the full pace would take as many. */
  records(recordsMax: number): number {
    return Math.max(1, Math.floor(recordsMax * this.#share));
  }

  /** The pause after a batch that took so long. */
  pauseMs(batchMs: number): number {
    return Math.min(PAUSE_MS_MAX, Math.round(batchMs * (1 / this.#share - 1)));
  }

  async rest(batchMs: number): Promise<void> {
    const pauseMs = this.pauseMs(batchMs);
    if (pauseMs === 0 || this.#stopped) return;
    this.#pausedMs += pauseMs;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#end = undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#end?.();
  }
}
