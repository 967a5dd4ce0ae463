/**
 * Tells listeners that something may have changed, at most once an interval.
 *
 * Guarantees: after the last change listeners are told within CHANGE_INTERVAL_MS; a burst becomes
 * one call at its start and one at its end. A listener that throws is left out; neither the others
 * nor who reported the change notice. Timers do not keep the process alive.
 */
export const CHANGE_INTERVAL_MS = 1_000;

export class ChangeSignal {
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #again = false;

  changed(): void {
    if (this.#listeners.size === 0) return;
    if (this.#timer) {
      this.#again = true;
      return;
    }
    this.#tell();
  }

  /** @returns ends the subscription */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
  }

  #tell(): void {
    this.#again = false;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#again) this.#tell();
    }, CHANGE_INTERVAL_MS);
    this.#timer.unref();
    // A copy: a listener may end its subscription and begin another.
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch {
        // What changed has happened, whoever hears of it: a capture must not fail by this.
      }
    }
  }
}
