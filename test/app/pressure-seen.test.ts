import { describe, expect, it } from "vitest";
import { noteContent } from "../../src/app/note-content.ts";
import { liveServer } from "../../src/app/pressure-seen.ts";
import { parseServerNote } from "../../src/events/server-note.ts";
import type { PressureFacts } from "../../src/pressure/pressure-facts.ts";
import { calmFacts, SINCE_MS } from "../support/pressure-facts.ts";

/** What another process reads of a server's facts. */
function seenOf(facts: PressureFacts) {
  const who = { note_version: 1, pid: 7, host: "h", version: "1", started_at_ms: 0, at_ms: 0 };
  const content = noteContent(facts, { snapshots: () => [], signals: () => [] }, null);
  const note = parseServerNote(JSON.stringify({ ...who, ...content }));
  if (note === undefined) throw new Error("not a note");
  return liveServer(note, true);
}

describe("what a command sees of a server", () => {
  it("R1: is what the server says of itself: memory and pace with their since, too", () => {
    const memory = { level: "shed", rssBytes: 90, limitBytes: 100, source: "setting" } as const;
    const governor = { state: "degraded", share: 0.5, sinceMs: SINCE_MS, cause: "memory" } as const;
    const facts = calmFacts({ memory, governor });
    const { waitingBytes: _, ...gate } = facts.gate;
    expect(seenOf(facts)).toEqual({
      ...{ leads: true, memory, governor, gate, events: [] },
      spool: { state: "normal", sinceMs: SINCE_MS, reason: "" },
      ...{ ackP50Ms: facts.ackP50Ms, ackP99Ms: facts.ackP99Ms },
    });
  });

  it("R1: memory that nothing limits has no limit", () => {
    const memory: PressureFacts["memory"] = {
      ...calmFacts().memory,
      limitBytes: undefined,
      source: undefined,
    };
    expect(seenOf(calmFacts({ memory })).memory).toEqual(memory);
  });
});
