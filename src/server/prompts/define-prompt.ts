/**
 * What a prompt is: plain data and one function, like a tool. src/server/bind-prompts.ts is the one
 * place that turns it into protocol.
 */
import type { Memory } from "../../memory/memory.ts";
import type { Completer } from "../completer.ts";

export interface PromptArgument {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** UTF-16 code units. */
  readonly charsMax: number;
  readonly complete?: Completer;
}

export interface PromptDefinition {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly PromptArgument[];
  /**
   * The user's message, at most ANSWER_CHARS_MAX characters as JSON.
   * @param args checked: known names, required ones there, none too long
   */
  readonly write: (args: Readonly<Record<string, string>>, memory: Memory) => Promise<string>;
}
