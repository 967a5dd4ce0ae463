/** What a status report says of hooks and privacy. */

/** What hooks of assistants captured by themselves, and what they could not. Times are ISO 8601. */
export interface HookCounts {
  captured: number;
  /** Events in which nothing was said, or a subagent's. */
  ignored: number;
  failures: number;
  last_captured_at: string | null;
  last_failure_at: string | null;
  last_failure_code: string | null;
}

/** What is taken out of texts before they are stored; `patterns` counts the user's own. */
export interface PrivacyView {
  private_spans: boolean;
  secrets: boolean;
  patterns: number;
}
