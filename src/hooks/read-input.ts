/**
 * A hook's JSON from stdin.
 *
 * Guarantees: bounded in bytes and in time. Beyond the limit the rest is still taken in, and thrown
 * away, as far as DRAINED_BYTES_MAX: a client that meets a closed pipe might call its hook broken.
 */
import type { Readable } from "node:stream";
import { MESSAGE_BYTES_MAX } from "../record/limits.ts";
import { HookFault } from "./hook-event.ts";

const DRAINED_BYTES_MAX = 4 * MESSAGE_BYTES_MAX;
/** A client writes at once and closes; it does not make us wait longer than it would wait for us. */
export const INPUT_MS_MAX = 2_000;

/** @throws HookFault INPUT_TOO_LARGE, INPUT_TIMEOUT, INPUT_NOT_UTF8 */
export async function readInput(stdin: Readable, msMax = INPUT_MS_MAX): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new HookFault("INPUT_TIMEOUT")), msMax);
  });
  try {
    return await Promise.race([collect(stdin), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function collect(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as string, "utf8");
    bytes += buffer.length;
    if (bytes <= MESSAGE_BYTES_MAX) chunks.push(buffer);
    else chunks.length = 0;
    if (bytes > DRAINED_BYTES_MAX) break;
  }
  if (bytes > MESSAGE_BYTES_MAX) throw new HookFault("INPUT_TOO_LARGE");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new HookFault("INPUT_NOT_UTF8");
  }
}
