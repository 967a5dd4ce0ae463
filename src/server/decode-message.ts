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

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @param line without its end, not empty */
export function decodeMessage(line: Uint8Array): Decoded {
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
    const message = "Parse error: the line is not valid JSON. Send one JSON-RPC message a line.";
    return refuse(PARSE_ERROR, "not_json", null, message);
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
