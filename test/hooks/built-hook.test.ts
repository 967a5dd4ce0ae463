/** The built program with the events that the clients' documentation shows, as real processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { UNFINISHED_NAME } from "../../src/memory/backup/unfinished-name.ts";
import { turnKey } from "../../src/record/turn-key.ts";
import { BUILT_ENTRY, runBuilt, spawnBuilt } from "../support/built-program.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { filesWith, HookScene } from "../support/hook-scene.ts";
import { git, needGit } from "../support/real-git.ts";

let scene: HookScene;
beforeEach(() => {
  scene = new HookScene();
});

const WORDS = " NFC \u00e9 NFD e\u0301 \u0000\r\n \u{1f375} <private>tea</private> ";

describe("captures", () => {
  it("C2: prompt and answer word for word, with session, role, source and key, in silence", async () => {
    const facts = { prompt_id: "p1", model: "m", unheard_of: [1] };
    const results = [
      await scene.hook(scene.prompt(WORDS, facts)),
      await scene.hook(
        scene.event("Stop", { stop_hook_active: false, last_assistant_message: "Two lumps.\n" }),
      ),
    ];
    for (const { exitCode, stdout, stderr } of results) {
      expect([exitCode, stdout.toString(), stderr]).toEqual([0, "", ""]);
    }
    const sessionId = "0d4f2c1e-session";
    const turn = { client: "claude-code", sessionId, nth: 1 };
    const shared = { session_id: sessionId, source: "claude-code" };
    expect(await scene.queued()).toEqual([
      {
        ...shared,
        surface: WORDS,
        role: "user",
        metadata: {
          client: "claude-code",
          event: "UserPromptSubmit",
          cwd: scene.cwd,
          model: "m",
          permission_mode: "default",
          prompt_id: "p1",
        },
        idempotency_key: turnKey({ ...turn, role: "user", surface: WORDS }),
      },
      expect.objectContaining({
        ...shared,
        surface: "Two lumps.\n",
        role: "assistant",
        idempotency_key: turnKey({ ...turn, role: "assistant", surface: "Two lumps.\n" }),
      }),
    ]);
    expect(await scene.json(["status"])).toMatchObject({
      state: "ok",
      hooks: { captured: 2, ignored: 0, failures: 0, last_failure_code: null },
    });
  });

  it("C2: a plain capture takes two files and nothing else, whatever the settings", async () => {
    const alone = freshDirectory();
    for (const name of ["main.js", "hook.js", "package.json"]) {
      copyFileSync(join(dirname(BUILT_ENTRY), name), join(alone, name));
    }
    mkdirSync(scene.home, { recursive: true });
    const settings = { "privacy.privateSpans": true, "queue.maxRecords": 50 };
    writeFileSync(join(scene.home, "config.json"), JSON.stringify(settings));
    const child = spawn(process.execPath, [join(alone, "main.js"), "hook", "claude-code"], {
      env: { PATH: process.env.PATH, MEMSPOOL_HOME: scene.home },
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.stdin.end(JSON.stringify(scene.prompt("tea")));
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(await scene.queued()).toMatchObject([{ surface: "tea" }]);
    expect(scene.codes()).toEqual([]);
  });

  it("C2: what Codex's hooks and its notify tell of one turn is one key each", async () => {
    const codex = { client: "codex" } as const;
    await scene.hook(scene.prompt("rename it", { turn_id: "7", session_id: "th" }), codex);
    const notification = {
      type: "agent-turn-complete",
      "thread-id": "th",
      "turn-id": "7",
      cwd: scene.cwd,
      "input-messages": ["rename it"],
      "last-assistant-message": "renamed",
    };
    await scene.hook("", { ...codex, args: [JSON.stringify(notification)] });
    const last = { last_assistant_message: "renamed", turn_id: "7", session_id: "th" };
    await scene.hook(scene.event("Stop", last), codex);
    const keys = (await scene.queued()).map((record) => record.idempotency_key);
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(2);
    expect(await scene.json(["drain"])).toMatchObject({ drained: 4 });
    expect(await scene.json(["status"])).toMatchObject({ store: { records: 2 } });
  });

  it("C2: the last words of a transcript where the client does not hand them over", async () => {
    const lines = [
      { type: "user", message: { content: "tea?" } },
      { type: "assistant", message: { id: "m", content: [{ type: "text", text: "Yes, tea." }] } },
    ];
    writeFileSync(
      join(scene.cwd, "transcript.jsonl"),
      lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
    );
    await scene.hook(scene.event("Stop", { stop_hook_active: false }));
    expect(await scene.queued()).toMatchObject([{ surface: "Yes, tea.", role: "assistant" }]);
  });

  it("C2: what tools answered only when that is configured", async () => {
    const tool = { tool_name: "Bash", tool_use_id: "t1", tool_response: { stdout: "4 files" } };
    const env = { MEMSPOOL_HOOK_TOOLS: "true" };
    await scene.hook(scene.event("PostToolUse", tool));
    expect(await scene.queued()).toEqual([]);
    await scene.hook(scene.event("PostToolUse", tool), { env });
    await scene.hook(scene.event("PostToolUse", { ...tool, agent_id: "a" }), { env });
    expect(await scene.queued()).toMatchObject([
      { surface: '{"stdout":"4 files"}', role: "tool", metadata: { tool_name: "Bash" } },
    ]);
    expect(await scene.json(["status"])).toMatchObject({ hooks: { captured: 1, ignored: 2 } });
  });

  it("C2: a text beyond the limit in numbered parts that are the text", async () => {
    const text = "\u{1f375}\u00e9a".repeat(400_000);
    await scene.hook(scene.prompt(text));
    const parts = await scene.queued();
    expect(parts.map(({ metadata }) => [metadata?.part, metadata?.of])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    expect(parts.map(({ surface }) => surface).join("")).toBe(text);
    expect(new Set(parts.map((part) => part.idempotency_key)).size).toBe(3);
    expect(scene.codes()).toEqual([]);
  });

  it("C3: repository and worktree share a project, which a setting overrides", async (context) => {
    needGit(context);
    const shop = join(freshDirectory(), "tea-shop");
    mkdirSync(shop);
    git(shop, "init", "-q");
    git(shop, "commit", "-q", "--allow-empty", "-m", "first");
    const worktree = join(freshDirectory(), "hotfix");
    git(shop, "worktree", "add", "-q", worktree);
    await scene.hook(scene.prompt("one", { cwd: shop }));
    await scene.hook(scene.prompt("two", { cwd: worktree }));
    await scene.hook(scene.prompt("three", { cwd: shop }), { args: ["--project", "other"] });
    const off = { MEMSPOOL_PROJECT_DETECT: "off" };
    await scene.hook(scene.prompt("four", { cwd: shop }), { env: off });
    const projects = (await scene.queued()).map(({ project }) => project);
    expect(projects).toEqual(["tea-shop", "tea-shop", "other", undefined]);
  });

  it("C2: a full queue spills for a hook too, with the schemas that this takes", async () => {
    const env = { MEMSPOOL_QUEUE_MAX_RECORDS: "2" };
    for (const words of ["one", "two", "three", "four"]) {
      await scene.hook(scene.prompt(words), { env });
    }
    expect(scene.codes()).toEqual([]);
    expect(await scene.json(["status"])).toMatchObject({ queue: { depth: 2, spilled: 2 } });
    expect(await scene.json(["drain"])).toMatchObject({ drained: 4, remaining: 0 });
    expect(await scene.json(["verify"])).toMatchObject({ ok: true });
  });
});

describe("privacy", () => {
  it("C3: what is taken out is nowhere on disk, in key or mark, in hooks and in tools' way", async () => {
    const env = {
      MEMSPOOL_PRIVACY_PRIVATE_SPANS: "true",
      MEMSPOOL_PRIVACY_SECRETS: "true",
      MEMSPOOL_PRIVACY_PATTERNS: JSON.stringify(["heron-\\d+"]),
      MEMSPOOL_QUEUE_MAX_RECORDS: "3",
    };
    const token = `ghp_${"a1B2".repeat(9)}`;
    const words = `a <private>tern</private> b ${token} c heron-42`;
    await scene.hook(scene.prompt(words, { cwd: `${scene.cwd}/heron-7` }), { env });
    const stop = scene.event("Stop", { last_assistant_message: "as <private>gull" });
    await scene.hook(stop, { env });
    const receipt = await scene.run(["capture", words, "--json"], env);
    expect(JSON.parse(receipt.stdout.toString())).toMatchObject({
      redacted: { private: 1, secrets: 2 },
    });
    const file = join(scene.cwd, "memory.jsonl");
    const entity = { name: "Tea", entityType: "drink", observations: ["heron-9 likes it"] };
    writeFileSync(file, JSON.stringify({ type: "entity", ...entity }));
    const roomy = { ...env, MEMSPOOL_QUEUE_MAX_RECORDS: "100" };
    expect((await scene.run(["import", file], roomy)).exitCode).toBe(0);
    const refusing = { ...env, MEMSPOOL_QUEUE_OVERFLOW: "reject" };
    expect((await scene.hook(scene.prompt(`more ${words}`), { env: refusing })).exitCode).toBe(0);
    expect(scene.codes()).toEqual(["QUEUE_FULL"]);
    const surface = "a [private] b [secret] c [secret]";
    const turn = { client: "claude-code", sessionId: "0d4f2c1e-session", nth: 1 };
    expect(await scene.queued()).toMatchObject([
      { surface, idempotency_key: turnKey({ ...turn, role: "user", surface }) },
      { surface: "as [private]" },
      { surface },
      { surface: "[secret] likes it" },
    ]);
    await scene.run(["drain"], env);
    for (const word of ["tern", token, "heron-", "gull"]) {
      expect(filesWith(scene.home, word), word).toEqual([]);
    }
    const { stdout } = await scene.run(["status"], env);
    expect(stdout.toString()).toMatch(/privacy +on, .*spans, known secrets, 1 own pattern/);
  });
});

describe("fails without failing the client", () => {
  const failing = async (payload: unknown, options: Parameters<HookScene["hook"]>[1] = {}) => {
    const { exitCode, stdout } = await scene.hook(payload, options);
    expect([exitCode, stdout.toString()]).toEqual([0, ""]);
  };

  it("C2: whatever comes on stdin, it exits with 0 and leaves a trace without a word of it", async () => {
    await failing("");
    await failing("heron heron");
    await failing('["heron"]');
    await failing(Buffer.from([0x7b, 0xff, 0xfe]));
    await failing({ heron: 1 });
    await failing(scene.event("UserPromptSubmit", { prompt: { heron: 1 } }));
    await failing(scene.prompt("heron", { session_id: "s".repeat(2_000) }));
    await failing({}, { args: ["--heron"] });
    expect(scene.codes()).toEqual([
      "INPUT_EMPTY",
      "INPUT_NOT_JSON",
      "INPUT_NOT_JSON",
      "INPUT_NOT_UTF8",
      "FIELD_MISSING",
      "FIELD_MISSING",
      "RECORD_INVALID",
      "CALL_WRONG",
    ]);
    expect(scene.failures().at(5)).toMatchObject({ event: "UserPromptSubmit", subject: "prompt" });
    expect(await scene.queued()).toEqual([]);
  });

  it("C2: 20 MB of input are refused and taken in, so that the client meets no closed pipe", async () => {
    await failing(scene.prompt("x".repeat(20_000_000)));
    expect(scene.codes()).toEqual(["INPUT_TOO_LARGE"]);
  });

  it("C2: an input that never ends is given up", async () => {
    const child = spawnBuilt(["hook", "claude-code"], { home: scene.home });
    child.stdin?.write('{"hook_event_name": "UserPromptSubmit"');
    const [code] = (await once(child, "exit")) as [number];
    expect(code).toBe(0);
    expect(scene.codes()).toEqual(["INPUT_TIMEOUT"]);
  });

  it("C2: settings that can not be read may ask for privacy, so nothing is captured", async () => {
    mkdirSync(scene.home, { recursive: true });
    writeFileSync(join(scene.home, "config.json"), '{"privacy.secrets": tru');
    await failing(scene.prompt("heron"));
    writeFileSync(join(scene.home, "config.json"), '{"privacy.secret": true}');
    await failing(scene.prompt("heron"));
    expect(scene.codes()).toEqual(["CONFIG_INVALID", "CONFIG_INVALID"]);
    expect(existsSync(join(scene.home, "queue"))).toBe(false);
  });

  it("C2: a full queue that refuses, a symlink and a half restored directory are told apart", async () => {
    const env = { MEMSPOOL_QUEUE_MAX_RECORDS: "1", MEMSPOOL_QUEUE_OVERFLOW: "reject" };
    await scene.hook(scene.prompt("one"), { env });
    await failing(scene.prompt("two"), { env });
    const linked = new HookScene();
    mkdirSync(linked.home, { recursive: true });
    symlinkSync(freshDirectory(), join(linked.home, "queue"));
    expect((await linked.hook(linked.prompt("one"))).exitCode).toBe(0);
    const restoring = new HookScene();
    mkdirSync(restoring.home, { recursive: true });
    writeFileSync(join(restoring.home, UNFINISHED_NAME), "");
    expect((await restoring.hook(restoring.prompt("one"))).exitCode).toBe(0);
    expect([...scene.codes(), ...linked.codes(), ...restoring.codes()]).toEqual([
      "QUEUE_FULL",
      "UNSAFE_PATH",
      "DATA_DIR_UNUSABLE",
    ]);
  });

  it("C2: where nothing can be written, stderr says so and the exit code is 0", async () => {
    mkdirSync(dirname(scene.home), { recursive: true });
    writeFileSync(scene.home, "a file in its place");
    const { exitCode, stdout, stderr } = await scene.hook(scene.prompt("heron"));
    expect([exitCode, stdout.toString()]).toEqual([0, ""]);
    expect(stderr).toMatch(/a hook failed .*memspool doctor/);
    expect(stderr).not.toContain("heron");
  });

  it("C2: doctor and status show it until something is captured again", async () => {
    await scene.hook("nonsense");
    expect(await scene.json(["status"])).toMatchObject({
      state: "degraded",
      hooks: { failures: 1, last_failure_code: "INPUT_NOT_JSON" },
    });
    const judged = async () => {
      const { checks } = (await scene.json(["doctor"])) as { checks: { name: string }[] };
      return checks.find(({ name }) => name === "hooks");
    };
    // Nothing was ever captured: there is no queue yet, and the doctor says it all the same.
    expect(await judged()).toMatchObject({
      status: "degraded",
      detail: expect.stringMatching(
        /^1 failure, the last INPUT_NOT_JSON at .*nothing was captured/,
      ),
      advice: expect.stringContaining("failures.ndjson"),
    });
    await scene.hook(scene.prompt("x"));
    expect(await scene.json(["status"])).toMatchObject({ state: "ok", hooks: { failures: 1 } });
    expect(await judged()).toMatchObject({ status: "ok" });
  });

  it("C2: options in front of the command and --help work as for every command", async () => {
    const { exitCode } = await runBuilt(["--project", "tea", "hook", "claude-code"], {
      home: scene.home,
      stdin: JSON.stringify(scene.prompt("x")),
    });
    expect(exitCode).toBe(0);
    expect(await scene.queued()).toMatchObject([{ surface: "x", project: "tea" }]);
    const help = await scene.run(["hook", "--help"]);
    expect(help.stdout.toString()).toContain("memspool hook claude-code <");
  });
});

describe("under pressure", () => {
  it("P2: a full quota is told by a trace at once, and not waited for", async () => {
    const env = { MEMSPOOL_SPOOL_FREE_MB_MIN: "1000000" };
    const { exitCode, stdout, stderr } = await scene.hook(scene.prompt("tea"), { env });
    expect([exitCode, stdout.toString(), stderr]).toEqual([0, "", ""]);
    expect(scene.failures()).toMatchObject([
      { client: "claude-code", event: "UserPromptSubmit", code: "BACKPRESSURE", subject: "quota" },
    ]);
    expect(await scene.queued()).toEqual([]);
    expect(await scene.json(["status"])).toMatchObject({
      state: "degraded",
      hooks: { captured: 0, failures: 1, last_failure_code: "BACKPRESSURE" },
    });
    expect((await scene.run(["doctor"])).stdout.toString()).toContain("BACKPRESSURE");
    // With room again it captures, and says no more of it.
    await scene.hook(scene.prompt("more tea"));
    expect(await scene.queued()).toMatchObject([{ surface: "more tea" }]);
  });

  it("P2: soft slows no hook, however long it slows others", async () => {
    const soft = { MEMSPOOL_SPOOL_SOFT_PCT: "1", MEMSPOOL_SPOOL_QUOTA_MB: "1" };
    const doneDir = join(scene.home, "queue", "done");
    mkdirSync(doneDir, { recursive: true, mode: 0o700 });
    writeFileSync(join(doneDir, "20990101-00-aaaaaaaaaaaa.ndjson.gz"), Buffer.alloc(500_000));
    // Anything that waited for this would end as a HOOK_TIMEOUT.
    await scene.hook(scene.prompt("tea"), { env: { ...soft, MEMSPOOL_SPOOL_DELAY_MS: "10000" } });
    expect(await scene.queued()).toMatchObject([{ surface: "tea" }]);
    expect(scene.codes()).toEqual([]);
  });
});
