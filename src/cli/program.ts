/**
 * From arguments to an exit code.
 *
 * `memspool serve` and `memspool` with a client on stdin are recognised here, before the command
 * line's own machinery is loaded: an assistant waits for that start.
 */
import type { AppModule, ProgramInput } from "./command-context.ts";
import { Output } from "./output.ts";

/** Resolves to the process's exit code; rejects only on a programmer's mistake. */
export async function runProgram(input: ProgramInput): Promise<number> {
  const flags = serveFlags(input);
  if (flags !== undefined) return serveDirectly(input, flags);
  const { runCommandLine } = await import("./command-line.ts");
  return runCommandLine(input, input.loadApp ?? loadAppModule);
}

async function loadAppModule(): Promise<AppModule> {
  return import("../app.ts");
}

const SERVE_OPTIONS: Readonly<Record<string, string>> = {
  "--home": "home",
  "--project": "project",
  "--log-level": "log.level",
};

/** The settings of a plain `serve`; undefined for everything that needs a closer look. */
function serveFlags(input: ProgramInput): Record<string, string> | undefined {
  const [first, ...rest] = input.argv;
  if (first === undefined) return input.stdin.isTTY === true ? undefined : {};
  const flags: Record<string, string> = {};
  const options = first === "serve" ? rest : [];
  if (first !== "serve" || options.length % 2 !== 0) return undefined;
  for (let at = 0; at < options.length; at += 2) {
    const setting = SERVE_OPTIONS[options[at] ?? ""];
    const value = options[at + 1];
    if (setting === undefined || value === undefined || value.startsWith("-")) return undefined;
    flags[setting] = value;
  }
  return flags;
}

async function serveDirectly(input: ProgramInput, flags: Record<string, string>): Promise<number> {
  const output = new Output(input, false);
  try {
    const { loadConfig } = await import("../config/load-config.ts");
    const { config, warnings } = await loadConfig({ flags, env: input.env });
    for (const warning of warnings) output.note(`warning: ${warning}`);
    const { serve } = await (input.loadApp ?? loadAppModule)();
    return await serve(config);
  } catch (error) {
    output.error(error);
    const { exitCodeForError } = await import("./exit-code.ts");
    return exitCodeForError(error);
  }
}
