/**
 * The idempotency key of one turn of a conversation with an assistant's client.
 *
 * Guarantees: whoever captures the same turn, as it happens (a hook) or later from the client's
 * transcript, makes the same key, so that the turn is stored once; the same words said twice in a
 * session are two turns, told apart by `nth`. Bounded whatever the client calls its session. Pure.
 */
import { textSha256 } from "./content-hash.ts";

export interface Turn {
  /** `claude-code`, `codex`, … */
  readonly client: string;
  /** As the client names it. */
  readonly sessionId: string;
  readonly role: "user" | "assistant" | "tool" | "system";
  /** As it is stored, behind whatever privacy took out of it. */
  readonly surface: string;
  /** From 1: how often this role has said these very words in this session, this time included. */
  readonly nth: number;
}

const HASH_DIGITS = 32;

export function turnKey({ client, sessionId, role, surface, nth }: Turn): string {
  const session = textSha256(sessionId).slice(0, HASH_DIGITS);
  const words = textSha256(surface).slice(0, HASH_DIGITS);
  return `turn:${client}:${session}:${role}:${words}:${nth}`;
}
