/** What `install` wrote, run as the clients run it: lines through sh, servers over stdio. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { BUILT_ENTRY } from "../../support/built-program.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";

/** A bound, not a measure: every event is a process of its own, on a machine that may be busy. */
const TEST_MS_MAX = 120_000;

type Event = Record<string, unknown>;
type HookFile = { hooks: Record<string, { hooks: { type: string; command: string }[] }[]> };
type Entry = { command: string; args: string[] };

const PLACES = {
  "claude-code": {
    hooks: [".claude", "settings.json"],
    server: [".claude.json"],
    entry: (text: string) => JSON.parse(text).mcpServers.memspool as Entry,
  },
  codex: {
    hooks: [".codex", "hooks.json"],
    server: [".codex", "config.toml"],
    entry: (text: string) =>
      (parse(text) as unknown as { mcp_servers: { memspool: Entry } }).mcp_servers.memspool,
  },
} as const;

/** A user whose home is fresh and has blanks and quotes in its name. */
class User {
  readonly home = join(freshDirectory(), "it's a home");
  readonly work = join(this.home, "tea shop");
  readonly client: keyof typeof PLACES;

  constructor(client: keyof typeof PLACES) {
    this.client = client;
    mkdirSync(join(this.work, ".git", "objects"), { recursive: true });
    writeFileSync(join(this.work, ".git", "HEAD"), "ref: refs/heads/main\n");
  }

  get #env() {
    return { PATH: process.env.PATH, HOME: this.home };
  }

  memspool(...argv: string[]): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BUILT_ENTRY, ...argv], {
      env: this.#env,
      cwd: this.work,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`${stdout}${stderr}`);
    return stdout;
  }

  json(...argv: string[]): Record<string, unknown> {
    return JSON.parse(this.memspool(...argv, "--json"));
  }

  #file(names: readonly string[]): string {
    return readFileSync(join(this.home, ...names), "utf8");
  }

  /** Hands an event to every line that was written for it. */
  tell(event: string, fields: Event): string {
    const { hooks } = JSON.parse(this.#file(PLACES[this.client].hooks)) as HookFile;
    const lines = (hooks[event] ?? []).flatMap((group) => group.hooks);
    expect(lines.map(({ type }) => type)).toEqual(["command"]);
    let printed = "";
    for (const { command } of lines) {
      const input = JSON.stringify({
        session_id: "s-1",
        transcript_path: join(this.work, "none.jsonl"),
        cwd: this.work,
        hook_event_name: event,
        ...fields,
      });
      const { status, stdout, stderr } = spawnSync("sh", ["-c", command], {
        env: this.#env,
        cwd: this.work,
        input,
        encoding: "utf8",
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      printed += stdout;
    }
    return printed;
  }

  /** A session with the server that was written, as the client starts it. */
  async asking<T>(use: (client: Client) => Promise<T>): Promise<T> {
    const places = PLACES[this.client];
    const { command, args } = places.entry(this.#file(places.server));
    const transport = new StdioClientTransport({
      ...{ command, args, cwd: this.work, stderr: "ignore" },
      env: { HOME: this.home },
    });
    const client = new Client({ name: "test", version: "0.0.0" });
    await client.connect(transport);
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  }
}

describe.each(["claude-code", "codex"] as const)("%s", (id) => {
  it(
    "C2: the lines that were installed capture turns, and the server that was installed finds them",
    async () => {
      const user = new User(id);
      user.memspool("install", id);
      expect(user.tell("SessionStart", { source: "startup" })).toBe("");
      user.tell("UserPromptSubmit", { prompt: "Which port does the kettle listen on?" });
      user.tell("Stop", { stop_hook_active: false, last_assistant_message: "On 5433.\n" });
      expect(user.json("status")).toMatchObject({ hooks: { captured: 2, failures: 0 } });
      const answer = await user.asking((client) =>
        client.callTool({
          name: "memory_search",
          arguments: { query: "kettle port", context: 1 },
        }),
      );
      expect(answer.structuredContent).toMatchObject({
        results: [
          {
            role: "user",
            session_id: "s-1",
            project: "tea shop",
            source: id,
            snippet: expect.stringContaining("«kettle»"),
            after: [{ role: "assistant", snippet: "On 5433.\n" }],
          },
        ],
      });
      // Whoever begins anew is shown what was said.
      const shown = JSON.parse(user.tell("SessionStart", { source: "startup" }));
      expect(shown.hookSpecificOutput.additionalContext).toContain("Which port does the kettle");
    },
    TEST_MS_MAX,
  );

  it(
    "C2: another installation over it leaves one line an event, taken out again by the undoing",
    () => {
      const user = new User(id);
      user.memspool("install", id);
      user.memspool("install", id, "--home", join(user.home, "elsewhere"));
      user.tell("UserPromptSubmit", { prompt: "tea" });
      const elsewhere = ["--home", join(user.home, "elsewhere")];
      expect(user.json("status", ...elsewhere)).toMatchObject({ hooks: { captured: 1 } });
      expect(user.json("status")).toMatchObject({ hooks: { captured: 0 } });
      user.memspool("install", id, "--uninstall");
      const { clients } = user.json("install") as { clients: { id: string; files: unknown }[] };
      expect(clients.length).toBeGreaterThan(0);
    },
    TEST_MS_MAX,
  );
});
