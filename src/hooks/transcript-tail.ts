/**
 * The assistant's last words from the end of a client's transcript, for clients whose Stop hook
 * does not hand them over.
 *
 * Guarantees: reads at most TAIL_BYTES_MAX from the end, of a regular file only; passes over lines
 * that are cut, unknown, a subagent's or the client's own. The lines of the last message are given
 * one by one, in order, each as the client hands such a line over and an import of the transcript
 * reads it (docs/TRANSCRIPTS.md). A message in front of the user's last words is not the answer to
 * them, and so is none.
 * Does not guarantee that the client has written its last words by now: its documentation says that
 * some versions have not.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { HookFault } from "./hook-event.ts";

const TAIL_BYTES_MAX = 4 * 1_048_576;

interface Line {
  readonly type?: unknown;
  readonly isSidechain?: unknown;
  readonly isApiErrorMessage?: unknown;
  readonly message?: {
    readonly id?: unknown;
    readonly model?: unknown;
    readonly content?: unknown;
  };
}

/**
 * @returns a text a line; none if the assistant said nothing since the user's last words
 * @throws HookFault TRANSCRIPT_UNREADABLE
 */
export function lastAssistantTexts(path: string): string[] {
  const lines = tailOf(path).split("\n").reverse();
  const texts: string[] = [];
  let messageId: unknown;
  for (const written of lines) {
    const line = parseLine(written);
    if (line === undefined || line.isSidechain === true) continue;
    const text = textsOf(line).join("\n").trim();
    if (line.type === "user" && text !== "") break;
    if (line.type !== "assistant" || isClients(line)) continue;
    const id = line.message?.id;
    if (texts.length > 0 && (id === undefined || id !== messageId)) break;
    if (text === "") continue;
    messageId = id;
    texts.unshift(text);
  }
  return texts;
}

/** The client's own words about a failure, in the assistant's place. */
function isClients({ isApiErrorMessage, message }: Line): boolean {
  return isApiErrorMessage === true || message?.model === "<synthetic>";
}

function tailOf(path: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const { size, isFile } = factsOf(fd);
    if (!isFile) throw new HookFault("TRANSCRIPT_UNREADABLE", "transcript_path");
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES_MAX));
    const read = readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8", 0, read);
  } catch (error) {
    if (error instanceof HookFault) throw error;
    throw new HookFault("TRANSCRIPT_UNREADABLE", "transcript_path");
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function factsOf(fd: number): { size: number; isFile: boolean } {
  const facts = fstatSync(fd);
  return { size: facts.size, isFile: facts.isFile() };
}

function parseLine(text: string): Line | undefined {
  if (text === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined; // the first line is cut where the tail begins
  }
}

/** A line's own words; what a tool answered is no word of the user. */
function textsOf({ message }: Line): string[] {
  const content = message?.content;
  if (typeof content === "string") return content === "" ? [] : [content];
  if (!Array.isArray(content)) return [];
  return content.flatMap((block: { type?: unknown; text?: unknown } | null) =>
    block?.type === "text" && typeof block.text === "string" && block.text !== ""
      ? [block.text]
      : [],
  );
}
