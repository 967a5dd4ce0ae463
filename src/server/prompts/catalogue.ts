/** Every prompt, in the order in which a client lists them. */
import type { PromptDefinition } from "./define-prompt.ts";
import { recallPrompt } from "./recall.ts";
import { sessionDigestPrompt } from "./session-digest.ts";

export const PROMPTS: readonly PromptDefinition[] = Object.freeze([
  recallPrompt,
  sessionDigestPrompt,
]);
