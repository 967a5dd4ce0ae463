/** Types of baseline.mjs, for its tests. */
import type { Turn } from "./dataset.mjs";

export interface BaselineForm {
  joiner: string;
  withSpeaker: boolean;
}
export const BASELINES: Readonly<Record<"fts5 or" | "fts5 and" | "fts5 or, speaker", BaselineForm>>;
export function openBaseline(
  turns: readonly Turn[],
  form: BaselineForm,
): (question: string, limit: number) => string[];
