/**
 * Signals to whoever watches, each at its own speed.
 *
 * Guarantees: `publish` returns at once and never throws; a subscriber holds at most
 * SUBSCRIBER_SIGNALS_MAX signals that it did not take yet, of more the oldest go and are counted;
 * it is woken at a later turn of the event loop, at most once for what came meanwhile; a subscriber
 * that throws or never takes harms nobody else. The bus tells of its losses only when asked: a
 * signal about lost signals would be lost next, and cost another.
 */
import { Ring } from "./ring.ts";
import type { Signal } from "./signal.ts";

export const SUBSCRIBER_SIGNALS_MAX = 32;
export const SUBSCRIBERS_MAX = 32;

export interface SignalSubscription {
  /** What came since the last call, oldest first. */
  take(): Signal[];
  /** Signals that went before they were taken. */
  readonly dropped: number;
  end(): void;
}

export class SignalBus {
  readonly #subscribers = new Set<Subscriber>();
  #dropped = 0;

  /** Of all subscribers, past ones too. */
  get dropped(): number {
    return this.#dropped;
  }

  publish(signal: Signal): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.put(signal)) this.#dropped++;
    }
  }

  /**
   * @param onWake is called at a later turn when there is something to take
   * @throws TypeError for more than SUBSCRIBERS_MAX
   */
  subscribe(onWake?: () => void): SignalSubscription {
    if (this.#subscribers.size >= SUBSCRIBERS_MAX) {
      throw new TypeError(`a bus has at most ${SUBSCRIBERS_MAX} subscribers`);
    }
    const subscriber = new Subscriber(onWake);
    this.#subscribers.add(subscriber);
    return {
      take: () => subscriber.take(),
      get dropped() {
        return subscriber.dropped;
      },
      end: () => {
        this.#subscribers.delete(subscriber);
        subscriber.end();
      },
    };
  }
}

class Subscriber {
  readonly #signals = new Ring<Signal>(SUBSCRIBER_SIGNALS_MAX);
  readonly #onWake: (() => void) | undefined;
  #wake: NodeJS.Immediate | undefined;
  dropped = 0;

  constructor(onWake: (() => void) | undefined) {
    this.#onWake = onWake;
  }

  /** @returns whether an older signal had to go */
  put(signal: Signal): boolean {
    const isLost = this.#signals.push(signal);
    if (isLost) this.dropped++;
    if (this.#onWake !== undefined) this.#wake ??= setImmediate(() => this.#wakeUp()).unref();
    return isLost;
  }

  take(): Signal[] {
    return this.#signals.take();
  }

  end(): void {
    if (this.#wake !== undefined) clearImmediate(this.#wake);
    this.#wake = undefined;
    this.#signals.take();
  }

  #wakeUp(): void {
    this.#wake = undefined;
    try {
      this.#onWake?.();
    } catch {
      // Whoever watches must not end what it watches; it can still take at its next turn.
    }
  }
}
