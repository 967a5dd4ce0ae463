/** What a line of a client's transcript is, whichever client wrote it. Types and names only. */

export const CLIENTS = ["claude-code", "codex"] as const;
export type Client = (typeof CLIENTS)[number];

/** Why a line that was understood is no turn; docs/TRANSCRIPTS.md says what each means. */
export const SKIP_RULES = [
  "bookkeeping",
  "thinking",
  "tool",
  "no-text",
  "injected",
  "local-command",
  "bare-command",
  "interruption",
  "compact-summary",
  "subagent",
  "client-message",
  "copied",
  "told-twice",
  "other-session",
  "before-since",
] as const;
export type SkipRule = (typeof SKIP_RULES)[number];

/** Something that was said, as the client showed it. */
export interface Turn {
  readonly role: "user" | "assistant" | "tool";
  readonly text: string;
  readonly sessionId: string;
  /**
   * Which of the client's ways of telling it this is. A client that tells a turn in two ways tells
   * it as often in each, so each is counted by itself.
   */
  readonly channel: string;
  /** As the client wrote it; may be no time at all. */
  readonly at: string | undefined;
  readonly cwd: string | undefined;
  /** The line's own id, which a copy of the line keeps. */
  readonly uuid: string | undefined;
  readonly gitBranch: string | undefined;
  readonly model: string | undefined;
}

export type Verdict =
  | { readonly kind: "turns"; readonly turns: readonly Turn[]; readonly isOddToo?: boolean }
  | { readonly kind: "skip"; readonly rule: SkipRule }
  /** Nothing that we know: kept as it is. */
  | { readonly kind: "unknown" };

export const UNKNOWN: Verdict = { kind: "unknown" };

export function skip(rule: SkipRule): Verdict {
  return { kind: "skip", rule };
}

export type Fields = Readonly<Record<string, unknown>>;

/** An object's fields; none for what is no object. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
