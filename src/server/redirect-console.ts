/**
 * Sends whatever a dependency prints with `console` to stderr: one stray line on stdout would break
 * the protocol.
 */
import { Console } from "node:console";
import type { Writable } from "node:stream";

/** Returns the function that puts everything back. */
export function redirectConsole(stderr: Writable): () => void {
  const target = globalThis.console;
  const before = { ...target };
  Object.assign(target, new Console({ stdout: stderr, stderr, ignoreErrors: true }));
  return () => {
    Object.assign(target, before);
  };
}
