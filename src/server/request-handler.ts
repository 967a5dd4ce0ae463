/** What build-server hands to the functions that answer requests; nothing of the SDK's is in it. */

export interface Call {
  /** Aborted when the client cancels, or when the session ends. */
  readonly signal: AbortSignal;
  /** Of the client's request, if it wants to hear of progress. */
  readonly progressToken: string | number | undefined;
  /** Sends a notification that belongs to this request; never rejects. */
  readonly notify: (method: "notifications/progress", params: Record<string, unknown>) => void;
}

export type RequestHandler = (
  params: Readonly<Record<string, unknown>>,
  call: Call,
) => Promise<Record<string, unknown>>;

/** Method name → handler. */
export type RequestHandlers = Readonly<Record<string, RequestHandler>>;
