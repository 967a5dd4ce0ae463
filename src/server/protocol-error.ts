/**
 * Failures that are answered on the protocol's own level, as JSON-RPC errors.
 * Codes: https://www.jsonrpc.org/specification#error_object and, for resources,
 * https://modelcontextprotocol.io/specification/2025-11-25/server/resources#error-handling
 */
import type { MemspoolError } from "../errors.ts";
import { reportError } from "../errors.ts";
import { errorAnswer } from "../tools/run-tool.ts";

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
export const RESOURCE_NOT_FOUND = -32002;

/** The SDK answers with `code`, `message` and `data` of whatever a handler throws. */
export class ProtocolError extends Error {
  readonly code: number;
  readonly data: Record<string, unknown> | undefined;

  constructor(code: number, message: string, data?: Record<string, unknown>) {
    super(message);
    this.name = "ProtocolError";
    this.code = code;
    this.data = data;
  }
}

/** A failure of memory as a protocol error; `data` holds our own code and whether to retry. */
export function toProtocolError(error: unknown, code?: number): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const report = errorAnswer(error).error;
  return new ProtocolError(code ?? protocolCode(reportError(error).code), String(report.message), {
    ...report,
    message: undefined,
  });
}

function protocolCode(code: MemspoolError["code"]): number {
  return code === "INVALID_ARGUMENT" || code === "CURSOR_INVALID" ? INVALID_PARAMS : INTERNAL_ERROR;
}
