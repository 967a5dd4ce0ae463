// A client's hook from its start to its end, beside a bare node that ends at once: what a person waits
// for at every prompt. Every run captures other words into a queue that fills up.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { interleave, ratioOfRounds, summarise } from "./statistics.mjs";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

/** Milliseconds until the process has ended. */
function untilExit(args, { env, input }) {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const child = spawn(process.execPath, args, { env, stdio: ["pipe", "ignore", "inherit"] });
    child.stdin.on("error", () => {}); // a bare node ends without reading
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0) resolve(performance.now() - startedMs);
      else reject(new Error(`node ${args.join(" ")} ended with ${code}`));
    });
    child.stdin.end(input);
  });
}

function prompt(words, cwd) {
  return JSON.stringify({
    session_id: "bench",
    transcript_path: join(cwd, "none.jsonl"),
    cwd,
    permission_mode: "default",
    hook_event_name: "UserPromptSubmit",
    prompt: words,
  });
}

export async function benchHookStart({ dir, rounds, text }) {
  const home = mkdtempSync(join(dir, "hook-start-"));
  const env = { ...process.env, MEMSPOOL_HOME: home };
  delete env.UV_THREADPOOL_SIZE; // the program sets it by itself
  const secret = { ...env, MEMSPOOL_PRIVACY_SECRETS: "true" };
  let runs = 0;
  const hook = async (environment) => {
    runs++;
    const input = prompt(`${runs} ${text}`, process.cwd());
    return [await untilExit([MAIN, "hook", "claude-code"], { env: environment, input })];
  };
  const contenders = {
    node: async () => [await untilExit(["-e", "0"], { env, input: "" })],
    hook: () => hook(env),
    secrets: () => hook(secret),
  };
  await interleave(contenders, 2); // brings the files into the page cache
  const series = await interleave(contenders, rounds);
  const captured = readdirSync(join(home, "queue")).filter((name) => /^pending-/.test(name)).length;
  rmSync(home, { recursive: true, force: true });
  if (captured !== runs) throw new Error(`${captured} of ${runs} hooks captured`);
  const beyond = (name) => summarise(series[name].map(([ms], at) => ms - series.node[at][0]));
  return {
    ms: Object.fromEntries(
      Object.entries(series).map(([name, samples]) => [name, summarise(samples.flat())]),
    ),
    beyondNodeMs: { hook: beyond("hook"), secrets: beyond("secrets") },
    toNode: ratioOfRounds(series.hook, series.node),
  };
}
