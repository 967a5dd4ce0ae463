/**
 * Pressure control of this process: a gate before every capture from the beginning, and in a server,
 * once it is started, a control loop.
 *
 * Guarantees: the loop is loaded when it is started, so that neither a command nor the start of a
 * server waits for it; until it has looked, the gate looks by itself. A loop that can not be loaded
 * is told of, and captures go on without it. `stop` closes the gate at once: whoever waits in it gets
 * an answer while there is still a client to read it. Idempotent, also while the loop is loading.
 */
import { errnoOf } from "../platform/errno.ts";
import { AckLatency } from "../pressure/ack-latency.ts";
import type { Gate } from "../pressure/gate.ts";
import { measuredGate } from "../pressure/measured-gate.ts";
import type { Pressure } from "../pressure/pressure.ts";
import type { PressureFacts } from "../pressure/pressure-facts.ts";
import type { ControlLoopHereParts } from "./control-loop-here.ts";
import { type GateHereParts, gateHere } from "./gate-here.ts";

export type PressureHereParts = Omit<GateHereParts, "memoryLevel" | "isWatched"> &
  Pick<ControlLoopHereParts, "paths" | "host">;

export interface PressureHere {
  readonly gate: Gate;
  /** Looks at the sensors from now on (server only). */
  start(): void;
  stop(): void;
  /** The ingester of this process reports: something may have gone. Cheap. */
  ingesterReported(): void;
  /** Undefined before the loop has started. */
  facts(): PressureFacts | undefined;
}

export function pressureHere(parts: PressureHereParts): PressureHere {
  const latency = new AckLatency();
  let loop: Pressure | undefined;
  let isStarted = false;
  let isStopped = false;
  const { gate, guard, meter } = gateHere({
    ...parts,
    memoryLevel: () => loop?.memoryLevel ?? "normal",
    isWatched: () => loop?.isWatching ?? false,
  });
  const measured = measuredGate(gate, {
    ...{ clock: parts.clock, latency },
    onEnter: () => loop?.hurry(),
  });
  const load = async () => {
    try {
      const { controlLoopHere } = await import("./control-loop-here.ts");
      if (isStopped) return;
      loop = controlLoopHere({ ...parts, gate: measured, guard, meter, latency });
      loop.start();
    } catch (error) {
      const errno = errnoOf(error) ?? "unknown";
      parts.events.emit("sensor_failed", { sensor: "spool", errno });
    }
  };
  return {
    gate: measured,
    start: () => {
      if (isStarted || isStopped) return;
      isStarted = true;
      void load();
    },
    stop: () => {
      isStopped = true;
      gate.close();
      loop?.stop();
    },
    ingesterReported: () => loop?.roomMade(),
    facts: () => loop?.facts(),
  };
}
