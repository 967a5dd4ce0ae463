/**
 * One session of a client, told twice: event by event to hooks of the built program, and as the
 * transcript that the client writes, with the lines that surround turns in real files.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TranscriptsResult } from "../../src/memory/transfer/transcripts/import-job.ts";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import { HookScene } from "./hook-scene.ts";
import {
  CODEX_SESSION,
  codex,
  codexEvent,
  codexItem,
  codexMeta,
  type Line,
  said,
  toolCall,
  toolResult,
  transcript,
  typed,
} from "./transcript-lines.ts";

export interface Said {
  readonly role: "user" | "assistant";
  readonly words: string;
  readonly cwd: string;
}

/** What makes the store take one record for another. */
export type Sameness = Pick<
  MemoryRecord,
  "surface" | "role" | "project" | "session_id" | "idempotency_key"
>;

interface Exported {
  readonly ulid: string;
  readonly record: MemoryRecord;
  readonly duplicate_of?: string;
}

const SESSIONS = { "claude-code": "5f0f3a52-0000-4000-8000-0000000000aa", codex: CODEX_SESSION };

export class HookedSession {
  readonly scene = new HookScene();
  readonly client: "claude-code" | "codex";
  readonly said: readonly Said[];
  readonly env: Record<string, string>;
  readonly path: string;

  constructor(
    client: "claude-code" | "codex",
    said: readonly Said[],
    env: Record<string, string> = {},
  ) {
    this.client = client;
    this.said = said;
    this.env = env;
    const name =
      client === "codex" ? `rollout-2026-03-01T09-00-00-${CODEX_SESSION}` : this.sessionId;
    this.path = join(this.scene.cwd, "transcripts", `${name}.jsonl`);
  }

  get sessionId(): string {
    return SESSIONS[this.client];
  }

  /** The client tells its hooks of the turns from one to before another. */
  async hear(from = 0, to = this.said.length): Promise<void> {
    for (const [index, { role, words, cwd }] of this.said.entries()) {
      if (index < from || index >= to) continue;
      const id = this.client === "codex" ? "turn_id" : "prompt_id";
      const turn = { session_id: this.sessionId, cwd, [id]: `turn-${Math.floor(index / 2)}` };
      const event =
        role === "user"
          ? this.scene.prompt(words, turn)
          : this.scene.event("Stop", { ...turn, last_assistant_message: words });
      await this.scene.hook(event, { client: this.client, env: this.env });
    }
  }

  /** The client has written its first turns, all of them unless a number is given. */
  write(count = this.said.length): void {
    const turns = this.said.slice(0, count);
    const lines = this.client === "codex" ? codexLines(turns) : this.#claudeLines(turns);
    mkdirSync(dirname(this.path), { recursive: true });
    writeFileSync(this.path, transcript(...lines));
  }

  async import(): Promise<TranscriptsResult> {
    const argv = ["import", "transcripts", this.client, this.path, "--json"];
    const { exitCode, stdout, stderr } = await this.scene.run(argv, this.env);
    if (exitCode !== 0) throw new Error(`${stdout}${stderr}`);
    return JSON.parse(stdout.toString()) as TranscriptsResult;
  }

  /** As if it had never been noted how far the transcript was read. */
  forgetPlaces(): void {
    rmSync(join(this.scene.home, "transcripts"), { recursive: true, force: true });
  }

  async drain(): Promise<void> {
    const { exitCode, stderr } = await this.scene.run(["drain"], this.env);
    if (exitCode !== 0) throw new Error(stderr);
  }

  /** Every record there is, oldest first; a duplicate is no record. */
  async records(): Promise<Sameness[]> {
    return (await this.#exported()).map(({ record }) => {
      const { surface, role, project, session_id, idempotency_key } = record;
      return { surface, role, project, session_id, idempotency_key };
    });
  }

  /** The id of the record with this text. */
  async ulidOf(surface: string): Promise<string> {
    const found = (await this.#exported()).find(({ record }) => record.surface === surface);
    if (found === undefined) throw new Error(`no record has the text ${surface}`);
    return found.ulid;
  }

  async #exported(): Promise<Exported[]> {
    const { stdout } = await this.scene.run(["export"], this.env);
    const [, ...lines] = stdout.toString().trimEnd().split("\n");
    return lines
      .map((line) => JSON.parse(line) as Exported)
      .filter((item) => item.duplicate_of === undefined);
  }

  #claudeLines(turns: readonly Said[]): Line[] {
    return turns.flatMap(({ role, words, cwd }) => {
      const place = { sessionId: this.sessionId, cwd };
      return role === "user"
        ? [typed(words, place)]
        : [
            said([{ type: "thinking", thinking: "hm" }], place),
            { ...toolCall("Read"), ...place },
            { ...toolResult("port: 5433"), ...place },
            said([{ type: "text", text: `\n${words}\n` }], place),
          ];
    });
  }
}

/** Each turn as an event and as an item; the directory in the context of each. */
function codexLines(turns: readonly Said[]): Line[] {
  return [
    codexMeta({ cwd: turns[0]?.cwd }),
    codexItem("user", "<environment_context>x</environment_context>"),
    ...turns.flatMap(({ role, words, cwd }) =>
      role === "user"
        ? [
            codex("turn_context", { cwd, model: "m" }),
            codexItem("user", words),
            codexEvent("user_message", words, { kind: "plain" }),
          ]
        : [codexEvent("agent_message", words), codexItem("assistant", words)],
    ),
  ];
}
