/** What a command may use. Everything that touches the process comes in from here. */
import type { Readable } from "node:stream";
import type { App } from "../app.ts";
import type { Environment, ResolvedConfig, SettingFlags } from "../config/resolve-config.ts";
import type { Config } from "../config/settings.ts";
import type { RestoreOptions, RestoreResult } from "../memory/backup/restore.ts";
import type { Output, OutputStream } from "./output.ts";

export type InputStream = Readable & {
  readonly isTTY?: boolean;
  /** Of a terminal: keys come as they are pressed, Ctrl-C among them. */
  readonly setRawMode?: (isRaw: boolean) => unknown;
};

/** The functions of app.ts that commands call; a seam for tests. */
export interface AppModule {
  createApp(config: Config): Promise<App>;
  serve(config: Config): Promise<number>;
  restore(config: Config, backup: string, options: RestoreOptions): Promise<RestoreResult>;
}

export interface ProgramInput {
  /** Without the executable's and the script's own names. */
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Absolute path of dist/main.js, to start further processes. */
  readonly entry: string;
  /** Absolute path of the directory it was called in; the process's own unless given. */
  readonly cwd?: string;
  readonly loadApp?: () => Promise<AppModule>;
  /** Aborted when the user interrupts; the process's own signals unless given. */
  readonly signal?: AbortSignal;
}

export interface CommandContext {
  readonly output: Output;
  readonly stdin: InputStream;
  /** To ask a person; everything else is written by `output`. */
  readonly stderr: OutputStream;
  readonly env: Environment;
  readonly flags: SettingFlags;
  readonly entry: string;
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly loadApp: () => Promise<AppModule>;
  /** Resolves the settings. Throws CONFIG_INVALID. */
  readonly resolveConfig: () => Promise<ResolvedConfig>;
  /** The same, with the warnings on stderr. */
  readonly loadConfig: () => Promise<ResolvedConfig>;
  /** Opens the parts on the data directory and closes them whatever `use` does. */
  readonly withApp: <T>(use: (app: App) => Promise<T>) => Promise<T>;
}

/** Runs a command's body with its context and keeps its exit code. */
export type RunCommand = (
  options: GlobalOptions,
  body: (context: CommandContext) => Promise<number>,
) => Promise<void>;

/** The options that every command takes. */
export interface GlobalOptions {
  readonly home?: string;
  readonly project?: string;
  readonly logLevel?: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly json?: boolean;
}

export const EXIT_OK = 0;
/** It did not work, or something needs a look. */
export const EXIT_FAILED = 1;
/** It was called wrongly, or status or doctor finds memspool failing. */
export const EXIT_USAGE = 2;
