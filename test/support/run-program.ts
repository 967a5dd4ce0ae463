/** Runs the command line in this process, on streams and a data directory of its own. */
import { Readable, Writable } from "node:stream";
import type { AppModule, InputStream } from "../../src/cli/command-context.ts";
import type { OutputStream } from "../../src/cli/output.ts";
import { runProgram } from "../../src/cli/program.ts";

export interface RunOptions {
  readonly app?: AppModule;
  readonly env?: Record<string, string>;
  readonly home: string;
  /** Undefined is a terminal that says nothing. */
  readonly stdin?: string | Uint8Array | Readable;
  readonly terminal?: boolean;
  readonly signal?: AbortSignal;
  readonly entry?: string;
  readonly cwd?: string;
  /** A reader of its own kind; what it took is then for the test to ask. */
  readonly stdout?: MemoryStream;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
  /** Standard output as the one JSON document that it must be. */
  readonly json: () => unknown;
}

export class MemoryStream extends Writable {
  readonly chunks: Buffer[] = [];
  isTTY = false;
  columns = 100;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }

  bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

export async function run(argv: readonly string[], options: RunOptions): Promise<RunResult> {
  const stdout = options.stdout ?? new MemoryStream();
  const stderr = new MemoryStream();
  stdout.isTTY = stderr.isTTY = options.terminal === true;
  const stdin: InputStream =
    options.stdin instanceof Readable
      ? options.stdin
      : options.stdin === undefined
        ? Object.assign(Readable.from([]), { isTTY: true })
        : Readable.from([Buffer.from(options.stdin)]);
  const exitCode = await runProgram({
    argv,
    env: { MEMSPOOL_HOME: options.home, ...options.env },
    stdin,
    stdout: stdout as unknown as OutputStream,
    stderr: stderr as unknown as OutputStream,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    entry: options.entry ?? "/nowhere/dist/main.js",
    signal: options.signal ?? new AbortController().signal,
    ...(options.app !== undefined && { loadApp: async () => options.app as AppModule }),
  });
  const text = stdout.bytes().toString("utf8");
  return {
    exitCode,
    stdout: text,
    stdoutBytes: stdout.bytes(),
    stderr: stderr.bytes().toString("utf8"),
    json: () => JSON.parse(text),
  };
}
