// From starting the program to its answer to `initialize`, beside a bare node that ends at once and
// a node that only loads the protocol SDK from its files.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { interleave, median, ratioOfRounds, summarise } from "./statistics.mjs";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LOAD_SDK =
  'await import("@modelcontextprotocol/sdk/server/index.js");' +
  'await import("@modelcontextprotocol/sdk/server/stdio.js");';
const ANSWER_MAX_MS = 20_000;

const INITIALIZE = `${JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "memspool-bench", version: "0" },
  },
})}\n`;

/** Milliseconds until the process has ended. */
function untilExit(args) {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "ignore" });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0) resolve(performance.now() - startedMs);
      else reject(new Error(`node ${args.join(" ")} ended with ${code}`));
    });
  });
}

/** Milliseconds until the server's first line, which must answer `initialize`. */
function untilInitialized(home) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, MEMSPOOL_HOME: home, MEMSPOOL_LOG_LEVEL: "error" };
    delete env.UV_THREADPOOL_SIZE; // the program sets it by itself
    const startedMs = performance.now();
    const child = spawn(process.execPath, [MAIN, "serve"], {
      env,
      stdio: ["pipe", "pipe", "inherit"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), ANSWER_MAX_MS);
    let answeredMs;
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
      if (answeredMs !== undefined || !text.includes("\n")) return;
      answeredMs = performance.now() - startedMs;
      child.stdin.end();
    });
    child.stdin.on("error", reject);
    child.on("error", reject);
    child.on("exit", () => {
      clearTimeout(timer);
      if (answeredMs === undefined) return reject(new Error("the server ended without an answer"));
      const answer = JSON.parse(text.split("\n", 1)[0]);
      if (answer.result?.serverInfo === undefined) return reject(new Error("no initialize result"));
      resolve(answeredMs);
    });
    child.stdin.write(INITIALIZE);
  });
}

export async function benchColdStart({ dir, rounds }) {
  const home = mkdtempSync(join(dir, "cold-start-"));
  const contenders = {
    node: async () => [await untilExit(["-e", "0"])],
    sdk: async () => [await untilExit(["--input-type=module", "-e", LOAD_SDK])],
    memspool: async () => [await untilInitialized(home)],
  };
  await interleave(contenders, 2); // brings the files into the page cache
  const series = await interleave(contenders, rounds);
  rmSync(home, { recursive: true, force: true });
  const beyond = series.memspool.map(([ms], round) => ms - series.node[round][0]);
  return {
    ms: Object.fromEntries(
      Object.entries(series).map(([name, samples]) => [name, summarise(samples.flat())]),
    ),
    beyondNodeMs: summarise(beyond),
    beyondNodeMedianMs: median(beyond),
    toNode: ratioOfRounds(series.memspool, series.node),
  };
}
