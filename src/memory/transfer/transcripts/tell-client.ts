/** Tells from a transcript's first bytes which client wrote it. Pure. */
import type { Client } from "./line-verdict.ts";

/** Enough for the first line's beginning, which may go on for long. */
export const HEAD_BYTES = 65_536;

const CODEX = [
  /"type"\s*:\s*"(?:session_meta|response_item|event_msg|turn_context)"/,
  // The older form: a first line of its own, and items without a wrapper.
  /^\s*\{"id"\s*:\s*"[^"]{1,128}"\s*,\s*"timestamp"\s*:/,
  /"record_type"\s*:\s*"/,
];
const CLAUDE_CODE = [
  /"(?:sessionId|parentUuid|leafUuid)"\s*:/,
  /"type"\s*:\s*"(?:file-history-snapshot|queue-operation|summary|permission-mode)"/,
];

export function tellClient(head: string): Client | undefined {
  const first = (patterns: readonly RegExp[]) =>
    Math.min(...patterns.map((pattern) => positionOf(head, pattern)));
  const [codex, claudeCode] = [first(CODEX), first(CLAUDE_CODE)];
  if (codex === claudeCode) return undefined;
  // Text inside a line may speak of the other client; the line's own fields come first.
  return codex < claudeCode ? "codex" : "claude-code";
}

function positionOf(text: string, pattern: RegExp): number {
  const at = text.search(pattern);
  return at === -1 ? Number.POSITIVE_INFINITY : at;
}
