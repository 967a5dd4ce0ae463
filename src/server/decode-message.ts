/**
 * One line of input as a JSON-RPC message, or the reason why it is none.
 *
 * Guarantees: text never changes silently (bytes that are not UTF-8 are refused, not replaced); what
 * is accepted is accepted by the SDK too, which drops other messages without an answer. A refusal
 * holds nothing of the line but its id.
 */
import { type JSONRPCMessage, JSONRPCMessageSchema } from "@modelcontextprotocol/sdk/types.js";
import type { EventFields } from "../events/catalogue.ts";
import { INVALID_REQUEST, PARSE_ERROR } from "./protocol-error.ts";
import type { RequestId } from "./request-id-scanner.ts";

export interface Refusal {
  readonly kind: "refusal";
  readonly code: number;
  readonly reason: EventFields["message_refused"]["reason"];
  readonly id: RequestId | null;
  readonly message: string;
}

export type Decoded = { readonly kind: "message"; readonly message: JSONRPCMessage } | Refusal;

const OBJECT_START = 0x7b;
const SPACES = [0x20, 0x09, 0x0d];
const JSON_END = new Set([0x7d, ...SPACES]);
/** Space, the start of a byte order mark, and what values other than an object begin with. */
const JSON_START = new Set([...SPACES, 0xef, ...Buffer.from('["-0123456789tfn')]);

const utf8 = new TextDecoder("utf-8", { fatal: true });

const NOT_JSON = refuse(
  PARSE_ERROR,
  "not_json",
  null,
  "Parse error: the line is not valid JSON. Send one JSON-RPC message a line.",
);

/** @param line without its end, not empty */
export function decodeMessage(line: Uint8Array): Decoded {
  if (!mayBeJson(line)) return NOT_JSON;
  let text: string;
  try {
    text = utf8.decode(line);
  } catch {
    return refuse(PARSE_ERROR, "not_utf8", null, "Parse error: the line is not valid UTF-8.");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return NOT_JSON;
  }
  if (JSONRPCMessageSchema.safeParse(value).success) {
    return { kind: "message", message: value as JSONRPCMessage };
  }
  const message = Array.isArray(value)
    ? "Invalid request: batches are not supported. Send one JSON-RPC message a line."
    : "Invalid request: the line is JSON, but not a JSON-RPC 2.0 message of this protocol.";
  return refuse(INVALID_REQUEST, "not_a_message", idOf(value), message);
}

/** A line over the limit, which was never held as a whole. */
export function refuseTooLarge(bytesMax: number, id: RequestId | null): Refusal {
  const message =
    `Invalid request: the message is larger than ${bytesMax} bytes, the limit of this transport. ` +
    "Nothing of it was done. Send it in parts.";
  return refuse(INVALID_REQUEST, "too_large", id, message);
}

/**
 * Whether the line's first and last byte can be those of a JSON text. Saves the exception that the
 * parser would throw, which is nearly all that a short line of garbage costs.
 */
function mayBeJson(line: Uint8Array): boolean {
  const first = line[0] as number;
  if (first === OBJECT_START) return JSON_END.has(line.at(-1) as number);
  return JSON_START.has(first);
}

function refuse(
  code: number,
  reason: Refusal["reason"],
  id: RequestId | null,
  message: string,
): Refusal {
  return { kind: "refusal", code, reason, id, message };
}

function idOf(value: unknown): RequestId | null {
  if (typeof value !== "object" || value === null || !("id" in value)) return null;
  const { id } = value;
  return typeof id === "string" || (typeof id === "number" && Number.isFinite(id)) ? id : null;
}
