/**
 * The executable. CommonJS once built, so that the size of the thread pool is set before anything
 * loads that would start it; the program itself is an ES module.
 *
 * The only place that reads process.argv, and the only one that ends the process.
 */

// Four threads, libuv's default, hold concurrent captures back: each waits in fsync.
process.env.UV_THREADPOOL_SIZE ??= "16";
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
