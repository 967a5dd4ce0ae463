/** One progress bar after another, for work in several steps. */
import type { Output, Progress } from "./output.ts";

export interface PhaseProgress<P extends string> {
  readonly update: (progress: { phase: P; done: number; total: number }) => void;
  readonly stop: () => void;
}

/** @param labels what is being done, for each step */
export async function phaseProgress<P extends string>(
  output: Output,
  labels: Readonly<Record<P, string>>,
): Promise<PhaseProgress<P>> {
  const phases = Object.keys(labels) as P[];
  const bars = new Map<P, Progress>();
  for (const phase of phases) bars.set(phase, await output.progress(labels[phase]));
  let current: P | undefined;
  return {
    update: ({ phase, done, total }) => {
      if (current !== undefined && current !== phase) bars.get(current)?.stop();
      current = phase;
      bars.get(phase)?.update(done, total);
    },
    stop: () => {
      for (const bar of bars.values()) bar.stop();
    },
  };
}
