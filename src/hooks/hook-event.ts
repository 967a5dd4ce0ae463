/**
 * What a client's hook told us, in our words, and how its JSON is read without trusting it.
 *
 * Guarantees: unknown fields are ignored; a field that is needed and is not there, or has another
 * type, is a {@link HookFault} that names it and repeats nothing of what was sent.
 */

export const CLIENTS = ["claude-code", "codex"] as const;
export type Client = (typeof CLIENTS)[number];

/** One thing that somebody said, word for word. */
export interface HookTurn {
  readonly role: "user" | "assistant" | "tool";
  readonly surface: string;
  /** The client's own name of the turn; the same event told twice has the same one. */
  readonly turnId: string | undefined;
  /** Small facts beside the text. */
  readonly metadata: Readonly<Record<string, string>>;
}

export type HookEvent =
  | {
      readonly kind: "turns";
      readonly name: string;
      /** As the client names it; "" if it does not. */
      readonly sessionId: string;
      readonly cwd: string;
      readonly turns: readonly HookTurn[];
    }
  | {
      readonly kind: "session-start";
      readonly name: string;
      readonly cwd: string;
      readonly source: string;
    }
  | { readonly kind: "ignored"; readonly name: string };

/** Why a hook could not do its work; the codes of memspool's own errors come beside these. */
export type HookFaultCode =
  | "INPUT_EMPTY"
  | "INPUT_NOT_UTF8"
  | "INPUT_NOT_JSON"
  | "INPUT_TOO_LARGE"
  | "INPUT_TIMEOUT"
  | "FIELD_MISSING"
  | "CALL_WRONG"
  | "TRANSCRIPT_UNREADABLE"
  | "HOOK_TIMEOUT"
  | "RECALL_FAILED"
  | "RECALL_TIMEOUT";

export class HookFault extends Error {
  readonly code: HookFaultCode;
  /** A field's or an option's name, never its value. */
  readonly subject: string;

  constructor(code: HookFaultCode, subject = "") {
    super(subject === "" ? code : `${code} (${subject})`);
    this.name = "HookFault";
    this.code = code;
    this.subject = subject;
  }
}

export type Payload = Readonly<Record<string, unknown>>;

/** @throws HookFault INPUT_EMPTY, INPUT_NOT_JSON */
export function parsePayload(text: string): Payload {
  if (text.trim() === "") throw new HookFault("INPUT_EMPTY");
  let value: unknown;
  try {
    // A byte order mark is no part of JSON, yet some shells on Windows put one in front.
    value = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch {
    throw new HookFault("INPUT_NOT_JSON"); // the parser's own message would repeat the input
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HookFault("INPUT_NOT_JSON");
  }
  return value as Payload;
}

/** @throws HookFault FIELD_MISSING */
export function requiredText(payload: Payload, field: string): string {
  const value = payload[field];
  if (typeof value !== "string") throw new HookFault("FIELD_MISSING", field);
  return value;
}

/** Undefined for what is absent, empty or no text. */
export function optionalText(payload: Payload, field: string): string | undefined {
  const value = payload[field];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Longest fact that is kept beside a text, in characters; a path may be long. */
const FACT_CHARS_MAX = 1_024;

/** Those of the fields that hold a text, cut where no sane client comes. */
export function facts(payload: Payload, names: readonly string[]): Record<string, string> {
  const found = names.flatMap((name) => {
    const value = optionalText(payload, name);
    return value === undefined ? [] : [[name, value.slice(0, FACT_CHARS_MAX)] as const];
  });
  return Object.fromEntries(found);
}
