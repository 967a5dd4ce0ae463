/** What one process remembers of the marks that it made. Lost with the process, as it should be. */
import type { MarkState } from "./mark-state.ts";

export interface OwnMark {
  readonly ino: number;
  readonly mtimeMs: number;
  readonly state: MarkState;
}

/** What one process knows of the marks of one queue directory. */
export interface MarkMemory {
  /** Marks that it made, for as long as they lie there. */
  readonly own: Map<string, OwnMark>;
  /** Records in a handler of its own right now. */
  readonly active: Set<string>;
}

export function newMarkMemory(): MarkMemory {
  return { own: new Map(), active: new Set() };
}

/** By queue directory: a process knows its marks whichever of its queue objects made them. */
const processMemories = new Map<string, MarkMemory>();

export function processMemory(dir: string): MarkMemory {
  const memory = processMemories.get(dir) ?? newMarkMemory();
  processMemories.set(dir, memory);
  return memory;
}
