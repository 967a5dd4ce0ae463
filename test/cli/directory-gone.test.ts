/** Started in a directory that was removed, as that of a worktree whose session goes on. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { BUILT_ENTRY } from "../support/built-program.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

let home: string;
beforeEach(() => {
  home = join(freshDirectory(), "home");
});

/** @throws with what was said on stderr, if the exit code is not 0 */
function run(argv: readonly string[], input = "", env: Record<string, string> = {}): string {
  const gone = join(freshDirectory(), "gone");
  mkdirSync(gone);
  const script = 'cd "$1" && rmdir "$1" && shift && exec "$@"';
  return execFileSync("sh", ["-c", script, "sh", gone, process.execPath, BUILT_ENTRY, ...argv], {
    env: { PATH: process.env.PATH, MEMSPOOL_HOME: home, ...env },
    input,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "pipe"],
  });
}

function texts(): string[] {
  const { records } = JSON.parse(run(["recent", "--order", "oldest", "--json"]));
  return records.map(({ snippet }: { snippet: string }) => snippet);
}

it("C1: commands, hooks and server go on where their directory is gone", () => {
  run(["capture", "first"]);
  const prompt = { hook_event_name: "UserPromptSubmit", session_id: "s", prompt: "second" };
  run(["hook", "claude-code"], JSON.stringify(prompt));
  const params = { name: "memory_capture", arguments: { surface: "third" } };
  const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params };
  expect(run(["serve"], `${JSON.stringify(call)}\n`)).toContain('"state":"pending"');
  run(["capture", "fourth"], "", { MEMSPOOL_PROJECT_DETECT: "git" });
  expect(texts()).toEqual(["first", "second", "third", "fourth"]);
  expect(run(["drain"])).toContain("4 drained");
  expect(run(["install", "cursor", "--dry-run"], "", { HOME: home })).toContain("would write");
});
