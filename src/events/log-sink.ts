/**
 * Writes events as JSON lines, one an event, to a file or to standard error.
 *
 * Guarantees: never writes to standard output; `level` is a severity of the catalogue and `event`
 * one of its names; a client that does not read our standard error never makes us wait: beyond
 * BACKLOG_BYTES_MAX lines are dropped. A file rotates: see log-file.ts. Does not guarantee that a
 * line survives a crash: what must, is not left to a log.
 */
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { type DestinationStream, destination, type Logger, pino } from "pino";
import { EVENT_SEVERITY, type MemspoolEvent, type Severity } from "./catalogue.ts";
import { type LogFileOptions, openLogFile } from "./log-file.ts";

const BACKLOG_BYTES_MAX = 262_144;
const STDERR = 2;

/** pino's method for each severity; its own level names never appear in a line. */
const METHOD = {
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  critical: "fatal",
} as const satisfies Record<Severity, keyof Logger>;

const SEVERITY_OF: Readonly<Record<string, Severity>> = Object.fromEntries(
  Object.entries(METHOD).map(([severity, method]) => [method, severity as Severity]),
);

export interface LogSinkOptions {
  readonly level: Severity | "silent";
  /** Absent is standard error. */
  readonly file?: LogFileOptions;
  /** Where lines go instead; for tests. */
  readonly stream?: DestinationStream;
  /** Descriptor of standard error; for tests. */
  readonly stderrFd?: number;
}

/** @throws as {@link openLogFile} */
export function createLogSink(options: LogSinkOptions): (event: MemspoolEvent) => void {
  if (options.level === "silent") return () => {};
  const logger = pino(
    {
      level: METHOD[options.level],
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: SEVERITY_OF[label] ?? label }) },
    },
    options.stream ?? openDestination(options),
  );
  // One object, so that an event with a `pid` of its own does not write the key twice.
  return ({ event, fields }) =>
    logger[METHOD[EVENT_SEVERITY[event]]]({ pid: process.pid, event, ...fields });
}

function openDestination({ file, stderrFd = STDERR }: LogSinkOptions): DestinationStream {
  if (file) return openLogFile(file);
  // A pipe may have a reader that never reads, and Node gives its children sockets for pipes.
  // Through libuv writes to either do not block; through a file call they would.
  const facts = fstatSync(stderrFd);
  if (facts.isFIFO() || facts.isSocket()) return pipeDestination(stderrFd);
  return destination({ dest: stderrFd, sync: true });
}

function pipeDestination(fd: number): DestinationStream {
  const pipe = new Socket({ fd, readable: false, writable: true });
  pipe.unref();
  pipe.on("error", () => {}); // EPIPE: nobody reads the log any more, which harms nothing
  return {
    write: (line: string) => {
      if (!pipe.destroyed && pipe.writableLength < BACKLOG_BYTES_MAX) pipe.write(line);
    },
  };
}
