/** Types of dataset.mjs, for its tests. */
export interface TurnName {
  session: string;
  turn: number;
}
export interface Turn extends TurnName {
  speaker?: string;
  role?: string;
  at?: string;
  text: string;
}
export interface Question {
  id: string;
  kind: string;
  lang?: string;
  question: string;
  evidence: TurnName[];
  half?: string;
}
export const HALVES: readonly string[];
export const KINDS: readonly string[];
export function turnKey(name: TurnName): string;
export function readTurns(path: string): Turn[];
export function readQuestions(file: string, turns: readonly Turn[]): Question[];
