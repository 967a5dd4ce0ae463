/**
 * The executable. CommonJS once built, so that the size of the thread pool is set before anything
 * loads that would start it; the program itself is an ES module.
 *
 * The only place that reads process.argv, and the only one that ends the process.
 */

type HookModule = typeof import("./cli/hook-program.ts");

const [, , command, ...args] = process.argv;
const isHook = command === "hook" && !args.some((word) => word === "--help" || word === "-h");
// Four threads, libuv's default, hold concurrent captures back: each waits in fsync. A hook has one.
if (!isHook) process.env.UV_THREADPOOL_SIZE ??= "16";
// Nothing that this process makes is anybody else's to read, whoever makes it.
process.umask(0o077);

/** How long the last of the output may take to leave; a server has flushed its answers before. */
const FLUSH_MS_MAX = 250;

function end(code: number): void {
  process.exitCode = code;
  setTimeout(() => process.exit(code), FLUSH_MS_MAX).unref();
  // process.exit at once would cut off what a slow reader has not taken yet.
  process.stdout.write("", () => process.exit(code));
}

function runProgram(): void {
  import("./program.mjs")
    .then(({ runProgram }) =>
      runProgram({
        argv: process.argv.slice(2),
        env: process.env,
        stdin: process.stdin,
        stdout: process.stdout,
        stderr: process.stderr,
        entry: __filename,
      }),
    )
    .then(end, (error: unknown) => {
      process.stderr.write(`memspool could not start: ${String(error)}\n`);
      end(1);
    });
}

/** Whatever happens, the client's turn goes on. */
function runHook(): void {
  const fail = (error: unknown): void => {
    process.stderr.write(`memspool: a hook failed: ${error instanceof Error ? error.name : ""}\n`);
    end(0);
  };
  process.on("uncaughtException", fail);
  try {
    // Loaded as CommonJS: half as long as an ES module takes.
    const { runHookProgram } = require("./hook.js") as HookModule;
    runHookProgram(process, args).then(() => end(0), fail);
  } catch (error) {
    fail(error);
  }
}

if (isHook) runHook();
else runProgram();
