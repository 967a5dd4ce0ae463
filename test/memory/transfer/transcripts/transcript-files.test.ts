import { mkdirSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { tellClient } from "../../../../src/memory/transfer/transcripts/tell-client.ts";
import {
  defaultRoots,
  findTranscripts,
} from "../../../../src/memory/transfer/transcripts/transcript-files.ts";
import { freshDirectory } from "../../../support/fresh-directory.ts";
import {
  codexItem,
  codexMeta,
  said,
  transcript,
  typed,
} from "../../../support/transcript-lines.ts";
import { TranscriptScene } from "../../../support/transcript-scene.ts";

it("C2: looks where the clients write, wherever their settings say that is", () => {
  const paths = (env: Record<string, string>, client?: "codex" | "claude-code") =>
    defaultRoots(env, "/home/ada", client).map(({ path }) => path);
  expect(paths({})).toEqual([
    "/home/ada/.claude/projects",
    "/home/ada/.config/claude/projects",
    "/home/ada/.codex/sessions",
    "/home/ada/.codex/archived_sessions",
  ]);
  expect(paths({ CLAUDE_CONFIG_DIR: "/c", CODEX_HOME: "/x", XDG_CONFIG_HOME: "/k" })).toEqual([
    "/c/projects",
    "/x/sessions",
    "/x/archived_sessions",
  ]);
  expect(paths({ CLAUDE_CONFIG_DIR: "", XDG_CONFIG_HOME: "/k" }, "claude-code")).toEqual([
    "/home/ada/.claude/projects",
    "/k/claude/projects",
  ]);
});

it("C2: finds files below a directory, the one that was changed first first, and follows no links", async () => {
  const scene = new TranscriptScene();
  const files = ["new", "old"].map((name) => scene.claude("x\n", name));
  utimesSync(files[1] as string, 1, 1);
  scene.write(join(scene.claudeDir, "projects", "notes.txt"), "x");
  symlinkSync(scene.claudeDir, join(scene.claudeDir, "projects", "loop"));
  const root = { path: scene.claudeDir, client: undefined, isDefault: false };
  const found = await findTranscripts([root, root]);
  expect(found.files.map(({ path }) => path)).toEqual([...files].reverse());
  expect(found.failed).toEqual([]);
});

it("X2: a tree that never ends is told, and what is above is found", async () => {
  const top = freshDirectory();
  const deep = join(top, ...Array.from({ length: 20 }, () => "d"));
  mkdirSync(deep, { recursive: true });
  const { files, failed } = await findTranscripts([
    { path: top, client: undefined, isDefault: false },
  ]);
  expect(files).toEqual([]);
  expect(failed).toMatchObject([{ reason: "can not be read (ELOOP)" }]);
});

it("C2: tells the client by a file's first line, whatever is talked about in it", () => {
  expect(tellClient(transcript(typed("x")))).toBe("claude-code");
  expect(tellClient(transcript({ type: "summary", summary: "x" }))).toBe("claude-code");
  expect(tellClient(transcript(codexMeta()))).toBe("codex");
  const old = { id: "s", timestamp: "2025-06-01T10:00:00Z", instructions: null };
  expect(tellClient(transcript(old))).toBe("codex");
  const aboutCodex = said('the line is {"type":"session_meta"}', { sessionId: "s" });
  expect(tellClient(transcript(aboutCodex))).toBe("claude-code");
  expect(tellClient(transcript(codexMeta(), codexItem("user", '{"sessionId":1}')))).toBe("codex");
  expect(tellClient('{"a":1}\n')).toBeUndefined();
});
