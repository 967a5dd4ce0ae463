/** What the demo asks, and what one of the first answers to each must say. */
import { DIALOGUE_SESSION } from "./demo-corpus.ts";

export interface Question {
  readonly words: string;
  readonly session?: string;
  /** What one of the first answers must say. */
  readonly expects: RegExp;
}

export const QUESTIONS: readonly Question[] = [
  { words: "raven writing-desk riddle", expects: /Why is a raven like a writing-desk/ },
  { words: "the best butter", session: DIALOGUE_SESSION, expects: /best butter/ },
  { words: "three sisters treacle well", expects: /treacle|three little sisters/ },
  { words: "watch day of the month", session: DIALOGUE_SESSION, expects: /day of the month/ },
  { words: "claude mcp add memspool", expects: /claude mcp add memspool/ },
];
