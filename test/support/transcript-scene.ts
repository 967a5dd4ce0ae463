/** A home with clients' transcripts and a data directory, and the program on them. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as realApp from "../../src/app.ts";
import type { TranscriptsResult } from "../../src/memory/transfer/transcripts/import-job.ts";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import { freshDirectory } from "./fresh-directory.ts";
import { type RunResult, run } from "./run-program.ts";

export class TranscriptScene {
  readonly root = freshDirectory();
  home = join(this.root, "memspool");
  readonly claudeDir = join(this.root, "claude");
  readonly codexDir = join(this.root, "codex");
  readonly env = { HOME: this.root, CLAUDE_CONFIG_DIR: this.claudeDir, CODEX_HOME: this.codexDir };

  /** A session of Claude Code. */
  claude(text: string | Uint8Array, name = "5f0f3a52-0000-4000-8000-000000000001"): string {
    return this.write(join(this.claudeDir, "projects", "-home-ada-atlas", `${name}.jsonl`), text);
  }

  /** A rollout of Codex. */
  codex(text: string, name = "rollout-2026-03-01T09-00-00-019a2d7a"): string {
    const day = join(this.codexDir, "sessions", "2026", "03", "01");
    return this.write(join(day, `${name}.jsonl`), text);
  }

  write(path: string, text: string | Uint8Array): string {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  memspool(...argv: readonly string[]): Promise<RunResult> {
    return run(argv, { home: this.home, app: realApp, env: this.env });
  }

  async import(...argv: readonly string[]): Promise<TranscriptsResult> {
    const { stdout, stderr } = await this.memspool("import", "transcripts", "--json", ...argv);
    if (stdout === "") throw new Error(stderr);
    const answer = JSON.parse(stdout) as TranscriptsResult;
    if ("error" in answer) throw new Error(JSON.stringify(answer));
    return answer;
  }

  /** Every record there is, oldest first, duplicates not counted. */
  async records(): Promise<MemoryRecord[]> {
    const { stdout } = await this.memspool("export");
    return stdout
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => JSON.parse(line) as { record: MemoryRecord; duplicate_of?: string })
      .filter((item) => item.duplicate_of === undefined)
      .map(({ record }) => record);
  }

  async said(): Promise<string[]> {
    return (await this.records()).map(({ role, surface }) => `${role}: ${surface}`);
  }

  /** As if it had never been noted how far the transcripts were read. */
  forgetPlaces(): void {
    rmSync(join(this.home, "transcripts"), { recursive: true, force: true });
  }
}
