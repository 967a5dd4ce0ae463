/**
 * The same session once from hooks as it happens and once from the client's transcript, with the
 * built program: whoever comes first, and however much of it each has seen, a turn is one record.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { turnParts } from "../../src/record/turn-parts.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { filesWith } from "../support/hook-scene.ts";
import { HookedSession, type Said, type Sameness } from "../support/hooked-session.ts";
import { git, needGit } from "../support/real-git.ts";
import { said, transcript, typed } from "../support/transcript-lines.ts";

/** A bound, not a measure: every event is a process of its own, on a machine that may be busy. */
const TEST_MS_MAX = 240_000;

const PART_BYTES_MAX = 300;
/** The pattern finds its own mark, so treating a text twice would show. */
const ENV = {
  MEMSPOOL_RECORD_MAX_BYTES: String(PART_BYTES_MAX),
  MEMSPOOL_PRIVACY_PRIVATE_SPANS: "true",
  MEMSPOOL_PRIVACY_PATTERNS: JSON.stringify(["secret|heron-\\d+"]),
};
/** What is private lies where an untreated text would be cut. */
const LONG = `${"é🍵".repeat(48)} heron-4711 <private>${"tern ".repeat(20)}</private>${"ß".repeat(90)}`;

const CLIENTS = ["claude-code", "codex"] as const;

/** Ten turns in a repository, below it and in a worktree of it; three pairs of equal words. */
function talk(context: TestContext): Said[] {
  needGit(context);
  const shop = join(freshDirectory(), "tea-shop");
  const below = join(shop, "src", "cups");
  const worktree = join(freshDirectory(), "hotfix");
  mkdirSync(below, { recursive: true });
  git(shop, "init", "-q");
  git(shop, "commit", "-q", "--allow-empty", "-m", "first");
  git(shop, "worktree", "add", "-q", worktree);
  const user = (words: string, cwd = shop): Said => ({ role: "user", words, cwd });
  const assistant = (words: string, cwd = shop): Said => ({ role: "assistant", words, cwd });
  return [
    user("yes"),
    assistant("Done."),
    user("a <private>tern</private> b heron-1", below),
    assistant("Seen: a secret.", below),
    user(LONG),
    assistant(LONG.slice(1)),
    user("yes", worktree),
    assistant("Done.", worktree),
    user("yes", worktree),
    assistant("Two lumps.", worktree),
  ];
}

/** As privacy leaves it. */
const treated = (words: string) =>
  words.replace(/<private>.*<\/private>/s, "[private]").replace(/secret|heron-\d+/g, "[secret]");

/** What must be there in the end, whoever brought it. */
const wanted = (said: readonly Said[]) =>
  said
    .flatMap(({ role, words }) =>
      turnParts(treated(words), PART_BYTES_MAX).map((part) => `${role}: ${part}`),
    )
    .sort();

async function expectEachOnce(session: HookedSession): Promise<void> {
  await session.drain();
  const records = await session.records();
  expect(records.map(({ role, surface }) => `${role}: ${surface}`).sort()).toEqual(
    wanted(session.said),
  );
  for (const { project, session_id } of records) {
    expect([project, session_id]).toEqual(["tea-shop", session.sessionId]);
  }
  session.forgetPlaces();
  expect(await session.import()).toMatchObject({ captured: 0, already_here: records.length });
  const status = await session.scene.json(["status"]);
  expect(status).toMatchObject({ state: "ok", store: { records: records.length } });
  expect(await session.scene.json(["verify"])).toMatchObject({ ok: true });
  expect(session.scene.codes()).toEqual([]);
}

const sorted = (records: readonly Sameness[]) =>
  records.toSorted((a, b) => ((a.idempotency_key ?? "") < (b.idempotency_key ?? "") ? -1 : 1));

describe.each(CLIENTS)("%s", (client) => {
  it(
    "C2: hooks alone and the transcript alone make the same records",
    async (context) => {
      const said = talk(context);
      const heard = new HookedSession(client, said, ENV);
      await heard.hear();
      const read = new HookedSession(client, said, ENV);
      read.write();
      await read.import();
      const records = sorted(await read.records());
      expect(records).toEqual(sorted(await heard.records()));
      expect(records).toHaveLength(wanted(said).length);
      expect(new Set(records.map((record) => record.idempotency_key)).size).toBe(records.length);
    },
    TEST_MS_MAX,
  );

  type Step = (session: HookedSession) => unknown;
  const hear: Step = (session) => session.hear();
  const hearFirst: Step = (session) => session.hear(0, 6);
  const hearLast: Step = (session) => session.hear(6);
  const writeFirst: Step = (session) => session.write(6);
  const write: Step = (session) => session.write();
  const importIt: Step = (session) => session.import();
  const drain: Step = (session) => session.drain();
  const ways: Readonly<Record<string, readonly Step[]>> = {
    "hooks, then the import": [hear, write, importIt],
    "hooks, drained, then the import": [hear, drain, write, importIt],
    "the import, then hooks": [write, importIt, hear],
    "the import, drained, then hooks": [write, importIt, drain, hear],
    "hooks and imports by turns": [
      ...[hearFirst, writeFirst, importIt, drain, hearLast, write, importIt],
    ],
    "hooks from the middle on, then the import": [hearLast, write, importIt],
    "the import, drained, then hooks from the middle on": [write, importIt, drain, hearLast],
    "an import, then hooks from there on, then the rest": [
      ...[writeFirst, importIt, drain, hearLast, drain, write, importIt],
    ],
    "hooks up to the middle, then the import": [hearFirst, drain, write, importIt],
  };

  for (const [way, steps] of Object.entries(ways)) {
    it(
      `C2: ${way}: every turn is there exactly once`,
      async (context) => {
        const session = new HookedSession(client, talk(context), ENV);
        for (const step of steps) await step(session);
        await expectEachOnce(session);
      },
      TEST_MS_MAX,
    );
  }

  it(
    "C2: a turn that was forgotten comes back neither from the transcript nor told once more",
    async (context) => {
      const session = new HookedSession(client, talk(context), ENV);
      await session.hear();
      await session.drain();
      const lumps = await session.ulidOf("Two lumps.");
      expect((await session.scene.run(["forget", lumps, "--yes"], ENV)).exitCode).toBe(0);
      session.write();
      await session.import();
      await session.hear(9);
      await session.drain();
      const left = session.said.filter(({ words }) => words !== "Two lumps.");
      expect((await session.records()).map(({ role, surface }) => `${role}: ${surface}`)).toEqual(
        expect.arrayContaining(wanted(left)),
      );
      expect(await session.scene.json(["status"])).toMatchObject({
        store: { records: wanted(left).length },
      });
      expect(filesWith(join(session.scene.home, "store"), "Two lumps.")).toEqual([]);
    },
    TEST_MS_MAX,
  );
});

it(
  "C2: what an older client leaves a hook to read in the transcript is met by the import too",
  async () => {
    const session = new HookedSession("claude-code", []);
    const { scene, sessionId, path } = session;
    const place = { sessionId, cwd: scene.cwd };
    mkdirSync(dirname(path), { recursive: true });
    const lines = [typed("tea?", place), said("I look.", place), said("\nYes.\n", place)];
    writeFileSync(path, transcript(...lines));
    const stop = { session_id: sessionId, transcript_path: path, prompt_id: "p" };
    await scene.hook(scene.event("Stop", stop));
    expect(await session.import()).toMatchObject({ captured: 1, already_here: 2 });
    await session.drain();
    expect((await session.records()).map(({ surface }) => surface).sort()).toEqual([
      "I look.",
      "Yes.",
      "tea?",
    ]);
  },
  TEST_MS_MAX,
);
