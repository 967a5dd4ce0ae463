import { describe, expect, it } from "vitest";
import { turnKey } from "../../../../src/record/turn-key.ts";
import { filesWith } from "../../../support/hook-scene.ts";
import { CODEX_SESSION, transcript, typed } from "../../../support/transcript-lines.ts";
import { TranscriptScene } from "../../../support/transcript-scene.ts";
import { CODEX_TALK, SESSION, TALK } from "../../../support/transcript-talks.ts";

const UNKNOWN = "transcript-unknown-lines";

describe("importing", () => {
  it("C2: turns of both clients come from their own places, each once, with all that is known of them", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK));
    scene.codex(transcript(...CODEX_TALK));
    const result = await scene.import();
    expect(result).toMatchObject({
      ...{ dry_run: false, files: 2, lines: 15, captured: 7, already_here: 0, unknown_lines: 0 },
      ...{ unreadable_lines: 0, left_for_next: 0, refused: 0, failed_files: 0, notes: [] },
      skipped: { thinking: 1, tool: 2, injected: 1, bookkeeping: 1, "told-twice": 3 },
    });
    expect((await scene.said()).sort()).toEqual([
      "assistant: At 5433; production at 5432.",
      "assistant: Done.",
      "assistant: I will look.",
      "user: Where does staging listen?",
      "user: and production?",
      "user: yes",
      "user: yes",
    ]);
    const records = await scene.records();
    const [first] = TALK;
    expect(records.find(({ surface }) => surface.startsWith("Where"))).toEqual({
      surface: "Where does staging listen?",
      session_id: SESSION,
      role: "user",
      source: "claude-code",
      occurred_at: first?.timestamp,
      metadata: { cwd: "/home/ada/atlas", git_branch: "main", uuid: first?.uuid },
      idempotency_key: turnKey({
        client: "claude-code",
        sessionId: SESSION,
        role: "user",
        surface: "Where does staging listen?",
        nth: 1,
      }),
    });
    const yes = records.filter(({ surface }) => surface === "yes");
    expect(yes.map(({ idempotency_key }) => idempotency_key)).toEqual(
      [1, 2].map((nth) =>
        turnKey({ client: "codex", sessionId: CODEX_SESSION, role: "user", surface: "yes", nth }),
      ),
    );
  });

  it("C2: a second import stores nothing, whether or not it is known how far the first one came", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK));
    scene.codex(transcript(...CODEX_TALK));
    await scene.import();
    const before = await scene.records();
    expect(await scene.import()).toMatchObject({
      files: 2,
      lines: 0,
      captured: 0,
      already_here: 0,
    });
    scene.forgetPlaces();
    expect(await scene.import()).toMatchObject({ lines: 15, captured: 0, already_here: 7 });
    await scene.memspool("drain");
    scene.forgetPlaces();
    expect(await scene.import()).toMatchObject({ lines: 15, captured: 0, already_here: 7 });
    expect(await scene.records()).toEqual(before);
  });

  it("C2: what a hook captured is met by its key, whatever project it was captured into", async () => {
    const scene = new TranscriptScene();
    const hooked = async (role: "user" | "assistant", surface: string) => {
      const key = turnKey({ client: "claude-code", sessionId: SESSION, role, surface, nth: 1 });
      const options = ["--session", SESSION, "--role", role, "--project", "atlas"];
      const { exitCode } = await scene.memspool("capture", surface, ...options, "--key", key);
      expect(exitCode).toBe(0);
    };
    await hooked("user", "Where does staging listen?");
    await hooked("assistant", "At 5433; production at 5432.");
    scene.claude(transcript(...TALK));
    expect(await scene.import()).toMatchObject({ captured: 2, already_here: 2 });
    expect(await scene.said()).toHaveLength(4);
  });

  it("C2: a dry run counts the same and changes nothing", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK, { type: "hologram" }));
    const dry = await scene.import("--dry-run");
    expect(dry).toMatchObject({ dry_run: true, captured: 4, unknown_lines: 1, kept_lines: 1 });
    expect(await scene.said()).toEqual([]);
    const { dry_run, ...counts } = await scene.import();
    expect({ dry_run: true, ...counts }).toEqual(dry);
  });

  it("C2: --since and --session narrow it down, and the rest is still there to be imported", async () => {
    const scene = new TranscriptScene();
    const times = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"];
    const lines = times.map((timestamp, n) => typed(`turn ${n}`, { timestamp }));
    scene.claude(
      transcript(...lines, typed("elsewhere", { sessionId: "other", timestamp: times[1] })),
    );
    expect(await scene.import("--since", "2026-01-15")).toMatchObject({
      captured: 2,
      skipped: { "before-since": 1 },
    });
    expect(await scene.import("--session", SESSION)).toMatchObject({
      ...{ captured: 1, already_here: 1 },
      skipped: { "other-session": 1 },
    });
    expect(await scene.import()).toMatchObject({ captured: 0, already_here: 3 });
  });

  it("C2: results of tools can be asked for later", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK));
    await scene.import();
    expect(await scene.import("--include-tools")).toMatchObject({ captured: 1, already_here: 4 });
    expect(await scene.said()).toContain("tool: port: 5433");
    expect(await scene.import()).toMatchObject({ lines: 0 });
  });

  it("C2: --project is given to every turn", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK));
    await scene.import("--project", "atlas");
    expect(new Set((await scene.records()).map(({ project }) => project))).toEqual(
      new Set(["atlas"]),
    );
  });

  it("C2: a text too long for a record is several, none of it lost and none of it twice", async () => {
    const scene = new TranscriptScene();
    const words = `${"é😀".repeat(200_000)}!`;
    scene.claude(transcript(typed(words)));
    const small = ["--set", "record.maxBytes=300000"];
    const { captured } = await scene.import(...small);
    expect(captured).toBeGreaterThan(1);
    const records = await scene.records();
    expect(records.map(({ surface }) => surface).join("")).toBe(words);
    expect(records.map(({ metadata }) => [metadata?.part, metadata?.of])).toEqual(
      records.map((_, index) => [index + 1, captured]),
    );
    scene.forgetPlaces();
    expect(await scene.import(...small)).toMatchObject({ captured: 0, already_here: captured });
  });
});

describe("copies", () => {
  it("C2: lines that a resumed session copied are not stored again, what is new is", async () => {
    const scene = new TranscriptScene();
    const copies = TALK.map((line) => ({ ...line, sessionId: "resumed" }));
    scene.claude(transcript(...TALK));
    await scene.import();
    scene.claude(
      transcript(...copies, typed("Where does staging listen?", { sessionId: "resumed" })),
      "b",
    );
    expect(await scene.import()).toMatchObject({ captured: 1, skipped: { copied: 4 } });
    scene.forgetPlaces();
    expect(await scene.import()).toMatchObject({ captured: 0, already_here: 5 });
  });

  it("C2: a branch's copies meet the turns of their origin, also if only the branch is left", async () => {
    const scene = new TranscriptScene();
    const forkedFrom = { sessionId: SESSION, messageUuid: "u" };
    const copies = TALK.map((line) => ({ ...line, sessionId: "branch", forkedFrom }));
    scene.claude(transcript(...copies, typed("On the branch.", { sessionId: "branch" })), "branch");
    expect(await scene.import()).toMatchObject({ captured: 5 });
    scene.claude(transcript(...TALK));
    expect(await scene.import()).toMatchObject({ captured: 0, already_here: 4 });
    const sessions = (await scene.records()).map(({ session_id }) => session_id);
    expect(sessions.filter((id) => id === "branch")).toHaveLength(1);
  });
});

describe("lines that are not understood", () => {
  it("C2: are kept as they are, once, out of the way of searches and sessions", async () => {
    const scene = new TranscriptScene();
    const odd = '{"type":"hologram",  "text":"staging kettle \\u00e9","sessionId":"s"}';
    const torn = '{"type":"user","message":{"content":"half';
    const file = scene.claude(transcript(odd, torn, typed("staging talk"), odd));
    const { exitCode, stdout, stderr } = await scene.memspool("import", "transcripts");
    expect(exitCode).toBe(1);
    expect(stdout).toContain("imported 1 turn from 4 lines of 1 file");
    expect(stdout).toContain(
      "2 lines of an unknown kind, kept word for word\n1 line that could not be read\n",
    );
    expect(stderr).toContain(`${file}, line 2, is not JSON`);
    const kept = (await scene.records()).filter(({ project }) => project === UNKNOWN);
    expect(kept.map(({ surface }) => surface).sort()).toEqual([odd, torn].sort());
    expect(kept.find(({ surface }) => surface === odd)).toMatchObject({
      ...{ role: "system", tier: "working", source: "claude-code", priority: "low" },
      tags: ["transcript-unknown-line"],
      metadata: { session: "s", file: `${SESSION}.jsonl`, line: 1 },
    });
    const found = await scene.memspool("search", "staging", "--project", "atlas", "--json");
    expect(found.stdout).toContain("«staging» talk");
    expect(found.stdout).not.toContain("kettle");
    const session = await scene.memspool("recent", "--session", "s", "--all-projects", "--json");
    expect(session.json()).toMatchObject({ records: [] });
    scene.forgetPlaces();
    expect(await scene.import()).toMatchObject({ captured: 0, kept_lines: 0, unknown_lines: 2 });
  });

  it("X2: garbage of every kind is counted and named, and what is among it comes through", async () => {
    const scene = new TranscriptScene();
    const long = JSON.stringify(typed("x".repeat(34_000_000)));
    const picture = typed([
      { type: "text", text: "look" },
      { type: "image", data: "A".repeat(20_000_000) },
    ]);
    const bytes = Buffer.concat([
      Buffer.from("\ufeff"),
      Buffer.from(transcript(typed("first")).replace("\n", "\r\n\r\n\n")),
      Buffer.from([0xff, 0xfe, 0x7b, 0x0a]),
      Buffer.from(`${long}\n`),
      Buffer.from(transcript(picture, "[[[", typed("last"))),
    ]);
    scene.claude(bytes);
    const result = await scene.import();
    expect(result).toMatchObject({ captured: 3, unreadable_lines: 3, kept_lines: 1 });
    expect(result.notes.map(({ line, reason }) => [line, reason])).toEqual([
      [4, "is not UTF-8"],
      [5, "is longer than 33554432 bytes"],
      [7, "is not JSON"],
    ]);
    expect(await scene.said()).toEqual(
      expect.arrayContaining(["user: first", "user: look", "user: last"]),
    );
  }, 60_000);

  it("C2: an unknown line that is longer than a record is kept in parts", async () => {
    const scene = new TranscriptScene();
    const odd = JSON.stringify({ type: "hologram", data: "é".repeat(400_000) });
    scene.claude(transcript(odd));
    expect(await scene.import("--set", "record.maxBytes=300000")).toMatchObject({
      unknown_lines: 1,
    });
    expect((await scene.records()).map(({ surface }) => surface).join("")).toBe(odd);
  });

  it("C3: what is private in a line of an unknown kind is kept nowhere", async () => {
    const scene = new TranscriptScene();
    const odd = { type: "hologram", text: "a <private>tern</private> b" };
    scene.claude(transcript(odd, typed("c <private>gull</private> d")));
    const on = ["--set", "privacy.privateSpans=true"];
    expect(await scene.import(...on)).toMatchObject({ captured: 1, kept_lines: 1 });
    expect((await scene.records()).map(({ surface }) => surface)).toEqual([
      '{"type":"hologram","text":"a [private] b"}',
      "c [private] d",
    ]);
    for (const word of ["tern", "gull"]) expect(filesWith(scene.home, word), word).toEqual([]);
    scene.forgetPlaces();
    expect(await scene.import(...on)).toMatchObject({ captured: 0, kept_lines: 0 });
  });
});
