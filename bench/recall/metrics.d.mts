/** Types of metrics.mjs, for its tests. */
export const DEPTHS: readonly number[];
export const FIGURES: readonly string[];
export function recallAt(k: number, evidence: readonly string[], ranked: readonly string[]): number;
export function hitAt(k: number, evidence: readonly string[], ranked: readonly string[]): number;
export function reciprocalRank(evidence: readonly string[], ranked: readonly string[]): number;
export function figuresOf(
  evidence: readonly string[],
  ranked: readonly string[],
): Record<string, number>;
export function mean(values: readonly number[]): number;
export function meanFigures(each: readonly Record<string, number>[]): Record<string, number>;
export function pairedBootstrap(
  ours: readonly number[],
  theirs: readonly number[],
  options?: { seed?: number; draws?: number },
): { difference: number; low: number; high: number };
