/** Hooks that run side by side, and one that dies. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { turnKey } from "../../src/record/turn-key.ts";
import { BUILT_ENTRY } from "../support/built-program.ts";
import { HookScene } from "../support/hook-scene.ts";
import { needStrace } from "../support/strace.ts";

const HOOKS = 20;

it("C2: 20 hooks at once give the same words 20 keys, and one turn told 20 times one", async () => {
  const scene = new HookScene();
  const each = Array.from({ length: HOOKS }, (_, at) => at);
  await Promise.all(
    each.map((at) =>
      scene.hook(scene.prompt(at % 2 === 0 ? "go on" : "stop", { prompt_id: `p${at}` })),
    ),
  );
  await Promise.all(each.map(() => scene.hook(scene.prompt("once", { prompt_id: "p" }))));
  expect(scene.codes()).toEqual([]);
  const records = await scene.queued();
  const keysOf = (words: string) =>
    new Set(records.filter(({ surface }) => surface === words).map((r) => r.idempotency_key)).size;
  expect(records).toHaveLength(2 * HOOKS);
  expect([keysOf("go on"), keysOf("stop"), keysOf("once")]).toEqual([HOOKS / 2, HOOKS / 2, 1]);
  await scene.json(["drain"]);
  expect(await scene.json(["status"])).toMatchObject({
    hooks: { captured: 2 * HOOKS, failures: 0 },
    store: { records: HOOKS + 1 },
  });
}, 120_000);

it("C2: a hook killed between mark and capture leaves a number that an import fills", async (context) => {
  needStrace(context);
  const scene = new HookScene();
  // The first unlink is that of the mark's other name, when the mark itself is there.
  const child = spawn(
    "strace",
    [
      ...["-f", "-qq", "-o", "/dev/null", "-e", "trace=unlink,unlinkat"],
      ...["-e", "inject=unlink,unlinkat:signal=SIGKILL:when=1"],
      ...[process.execPath, BUILT_ENTRY, "hook", "claude-code"],
    ],
    {
      env: { PATH: process.env.PATH, MEMSPOOL_HOME: scene.home, UV_THREADPOOL_SIZE: "1" },
      stdio: ["pipe", "ignore", "ignore"],
    },
  );
  child.stdin?.end(JSON.stringify(scene.prompt("go on", { prompt_id: "p1" })));
  await once(child, "exit");
  const [session = ""] = readdirSync(join(scene.home, "hooks", "turns"));
  const marks = readdirSync(join(scene.home, "hooks", "turns", session));
  expect(marks.filter((name) => name.startsWith("user-"))).toHaveLength(1);
  expect(await scene.queued()).toEqual([]);

  await scene.hook(scene.prompt("go on", { prompt_id: "p2" }));
  const sessionId = "0d4f2c1e-session";
  const turn = { client: "claude-code", sessionId, role: "user", surface: "go on" } as const;
  expect(await scene.queued()).toMatchObject([{ idempotency_key: turnKey({ ...turn, nth: 2 }) }]);
  // The transcript holds both, numbered from 1.
  for (const nth of [1, 2]) {
    await scene.run(["capture", "go on", "--key", turnKey({ ...turn, nth })]);
  }
  await scene.json(["drain"]);
  expect(await scene.json(["status"])).toMatchObject({ store: { records: 2 } });
});
