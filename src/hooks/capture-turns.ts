/**
 * From what was said to records in the queue: privacy, number, key, parts, capture.
 *
 * Guarantees: word for word, in as many records as its length takes; resolves when all are durable.
 * What was taken out for privacy is not in the key, the number or the mark either. No server is
 * needed: whichever starts next ingests it.
 */
import type { Captures } from "../memory/capture.ts";
import type { Privacy } from "../memory/privacy/privacy.ts";
import type { MemoryRecord } from "../record/memory-record.ts";
import { turnPartKey, turnParts } from "../record/turn-parts.ts";
import type { Client, HookTurn } from "./hook-event.ts";
import type { HooksDirectory } from "./hooks-directory.ts";
import { markTurn } from "./turn-marks.ts";

export interface TurnParts {
  readonly captures: Pick<Captures, "capture">;
  readonly privacy: Privacy;
  readonly paths: HooksDirectory;
  readonly client: Client;
  readonly sessionId: string;
  /** "" is none. */
  readonly project: string;
  readonly textBytesMax: number;
}

/** @throws what a capture throws, PRIVACY_FAILED, system errors of the mark */
export async function captureTurn(parts: TurnParts, said: HookTurn): Promise<void> {
  const { client, project, textBytesMax } = parts;
  const metadata: NonNullable<MemoryRecord["metadata"]> = { ...said.metadata };
  const { record: clean } = await parts.privacy.apply({ surface: said.surface, metadata });
  const { surface } = clean;
  // Where the client names no session, the turn is all there is to hold on to.
  const sessionId = parts.sessionId === "" ? (said.turnId ?? "") : parts.sessionId;
  const { role, turnId } = said;
  const nth = markTurn(parts.paths, { client, sessionId, role, surface, turnId });
  const pieces = turnParts(surface, textBytesMax);
  for (const [index, piece] of pieces.entries()) {
    const number = index + 1;
    const turn = { client, sessionId, role, surface, nth };
    await parts.captures.capture({
      surface: piece,
      role,
      source: client,
      ...(parts.sessionId === "" ? {} : { session_id: parts.sessionId }),
      ...(project === "" ? {} : { project }),
      metadata: {
        ...clean.metadata,
        ...(pieces.length === 1 ? {} : { part: number, of: pieces.length }),
      },
      idempotency_key: turnPartKey(turn, number, pieces.length),
    });
  }
}
