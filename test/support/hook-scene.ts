/** The built program as a client's hook, on a data directory of its own, and what it left there. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { decodeEnvelope } from "../../src/record/envelope.ts";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import { type BuiltResult, runBuilt } from "./built-program.ts";
import { freshDirectory } from "./fresh-directory.ts";

export interface HookOptions {
  readonly client?: "claude-code" | "codex";
  readonly env?: Record<string, string>;
  readonly args?: readonly string[];
}

export class HookScene {
  readonly home = join(freshDirectory(), "home");
  /** Of no repository. */
  readonly cwd = freshDirectory();

  /** A client's event; what is given stands over what every event has. */
  event(name: string, fields: Record<string, unknown>): Record<string, unknown> {
    return {
      session_id: "0d4f2c1e-session",
      transcript_path: join(this.cwd, "transcript.jsonl"),
      cwd: this.cwd,
      permission_mode: "default",
      hook_event_name: name,
      ...fields,
    };
  }

  prompt(prompt: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
    return this.event("UserPromptSubmit", { prompt, ...fields });
  }

  hook(payload: unknown, options: HookOptions = {}): Promise<BuiltResult> {
    const { client = "claude-code", env = {}, args = [] } = options;
    const stdin =
      typeof payload === "string" || payload instanceof Uint8Array
        ? payload
        : JSON.stringify(payload);
    return runBuilt(["hook", client, ...args], { home: this.home, env, stdin });
  }

  run(argv: readonly string[], env: Record<string, string> = {}): Promise<BuiltResult> {
    return runBuilt(argv, { home: this.home, env });
  }

  async json(argv: readonly string[]): Promise<Record<string, unknown>> {
    const { stdout } = await this.run([...argv, "--json"]);
    return JSON.parse(stdout.toString()) as Record<string, unknown>;
  }

  /** Pending records in order. */
  async queued(): Promise<MemoryRecord[]> {
    const queue = new CaptureQueue({ queueDir: join(this.home, "queue") });
    const pending = await queue.listPending();
    return pending.map(({ ulid, path }) => decodeEnvelope(readFileSync(path), ulid).record);
  }

  failures(): { client: string; event: string; code: string; subject: string }[] {
    const text = readIfThere(join(this.home, "hooks", "failures.ndjson"));
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }

  codes(): string[] {
    return this.failures().map(({ code }) => code);
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // nothing failed yet
  }
}

/** Paths of the files below a directory whose bytes hold the text. */
export function filesWith(directory: string, text: string): string[] {
  const names = readdirSync(directory, { recursive: true }) as string[];
  return names.filter((name) => {
    const path = join(directory, name);
    return name.includes(text) || (statSync(path).isFile() && readFileSync(path).includes(text));
  });
}
