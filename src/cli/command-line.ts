/**
 * The whole command line: every command with its options, put together and run.
 *
 * Guarantees: a wrong call is an error with a code like any other, in JSON when asked for, and ends
 * with exit code 2; parts that a command opened are closed before this resolves.
 */
import { Command, CommanderError } from "commander";
import { workingDirectory } from "../config/working-directory.ts";
import { MemspoolError } from "../errors.ts";
import { auditCommand } from "./audit.ts";
import { backupCommand } from "./backup.ts";
import { captureCommand } from "./capture.ts";
import {
  type AppModule,
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  EXIT_USAGE,
  type GlobalOptions,
  type ProgramInput,
} from "./command-context.ts";
import { completeCommand, completionCommand } from "./completion.ts";
import { demoCommand } from "./demo.ts";
import { diagCommand } from "./diag.ts";
import { doctorCommand } from "./doctor.ts";
import { drainCommand } from "./drain.ts";
import { exitCodeForError } from "./exit-code.ts";
import { exportCommand } from "./export.ts";
import { flushCommand } from "./flush.ts";
import { forgetCommand } from "./forget.ts";
import { getCommand } from "./get.ts";
import { hookCommand } from "./hook.ts";
import { importCommand } from "./import.ts";
import { installCommand } from "./install.ts";
import { type Interruption, interruption } from "./interruption.ts";
import { collectSetting, describeSettings } from "./option-values.ts";
import { Output, watchForLoss } from "./output.ts";
import { quarantineCommand } from "./quarantine.ts";
import { rebuildCommand } from "./rebuild.ts";
import { receiptCommand } from "./receipt.ts";
import { recentCommand } from "./recent.ts";
import { restoreCommand } from "./restore.ts";
import { searchCommand } from "./search.ts";
import { serveCommand } from "./serve.ts";
import { statusCommand } from "./status.ts";
import { verifyCommand } from "./verify.ts";

const EXIT_CODES = `
Exit codes: 0 all well; 1 it failed, or something needs a look; 2 called
wrongly, or status or doctor finds memspool failing. With --json the answer,
or {"error": {"code", …}}, is one JSON document on stdout.`;

export async function runCommandLine(
  input: ProgramInput,
  loadApp: () => Promise<AppModule>,
): Promise<number> {
  const interrupt = interruption(input.signal);
  let exitCode = EXIT_OK;
  const run = async (
    options: GlobalOptions,
    body: (context: CommandContext) => Promise<number>,
  ): Promise<void> => {
    const output = new Output(input, options.json === true);
    const stopWatching = watchForLoss(input.stdout, interrupt.abort);
    try {
      exitCode = await body(makeContext(input, options, output, interrupt, loadApp));
    } catch (error) {
      output.error(isAbort(error) ? interrupted() : error);
      exitCode = exitCodeForError(error);
    }
    const failure = await output.settled();
    stopWatching();
    if (failure === undefined) return;
    output.note(
      `error: standard output can not be written (${failure.code}), so the answer is not complete. ` +
        "See whether its disk is full.",
    );
    exitCode = EXIT_FAILED;
  };
  const program = buildProgram(run, input);
  try {
    if (input.argv.length === 0) program.outputHelp();
    else await program.parseAsync([...input.argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT_OK;
    // Options alone are a call of memspool without a command.
    if (isWithoutCommand(program, error) && input.stdin.isTTY !== true) {
      return await runCommandLine({ ...input, argv: [...input.argv, "serve"] }, loadApp);
    }
    new Output(input, input.argv.includes("--json")).error(usageError(program, error));
    return EXIT_USAGE;
  } finally {
    interrupt.dispose();
  }
  return exitCode;
}

function buildProgram(run: Parameters<typeof captureCommand>[0], input: ProgramInput): Command {
  const program = new Command("memspool")
    .description("A memory for AI assistants: what it acknowledges is on disk, word for word.")
    .version(MEMSPOOL_VERSION)
    .option("--home <directory>", "data directory (default ~/.memspool)")
    .option("--project <name>", "the current project")
    .option("--log-level <severity>", "least severity that is logged")
    .option("--set <name=value>", "any setting, repeatable", collectSetting)
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", () => `${EXIT_CODES}\n\n${describeSettings()}`);
  const commands = [
    serveCommand,
    captureCommand,
    searchCommand,
    getCommand,
    recentCommand,
    receiptCommand,
    forgetCommand,
    statusCommand,
    diagCommand,
    drainCommand,
    flushCommand,
    quarantineCommand,
    auditCommand,
    verifyCommand,
    doctorCommand,
    backupCommand,
    restoreCommand,
    exportCommand,
    importCommand,
    rebuildCommand,
    installCommand,
    completionCommand,
    demoCommand,
  ].map((make) => make(run));
  commands.push(hookCommand(input));
  for (const command of commands) program.addCommand(command);
  program.addCommand(completeCommand(run), { hidden: true });
  for (const command of [program, ...commands, ...commands.flatMap((each) => each.commands)]) {
    command
      .exitOverride()
      .configureHelp({ showGlobalOptions: true })
      .configureOutput({
        writeOut: (text) => input.stdout.write(text),
        // The same words come back as the thrown error, to be printed once and in our form.
        writeErr: () => {},
        getOutHelpWidth: () => Math.min(input.stdout.columns ?? 100, 100),
      });
  }
  return program;
}

/** What an AbortSignal throws, after an interruption or a time limit. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
}

function interrupted(): MemspoolError {
  return new MemspoolError(
    "SHUTTING_DOWN",
    "It was interrupted, or took too long, before it was done. Run it again.",
  );
}

/** What commander means by an error that only asks for the help to be shown. */
function isWithoutCommand(program: Command, error: CommanderError): boolean {
  return error.code === "commander.help" && program.args.length === 0;
}

function usageError(program: Command, error: CommanderError): MemspoolError {
  const [first, ...rest] = program.args;
  const command = program.commands.find((each) => each.name() === first);
  const what = isWithoutCommand(program, error)
    ? "there is no command"
    : error.code === "commander.help"
      ? `unknown command '${rest.at(-1) ?? ""}'`
      : error.message
          .replace(/^error: /, "")
          .replaceAll("\n", " ")
          .replace(/\.$/, "");
  const help = command === undefined ? "memspool --help" : `memspool ${command.name()} --help`;
  return new MemspoolError("INVALID_ARGUMENT", `${what}. See: ${help}`);
}

function makeContext(
  input: ProgramInput,
  options: GlobalOptions,
  output: Output,
  interrupt: Interruption,
  loadApp: () => Promise<AppModule>,
): CommandContext {
  const named = { home: options.home, project: options.project, "log.level": options.logLevel };
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  const flags = { ...options.set, ...Object.fromEntries(given) };
  const resolveConfig: CommandContext["resolveConfig"] = async () => {
    const { loadConfig } = await import("../config/load-config.ts");
    return loadConfig({ flags, env: input.env });
  };
  const loadConfig: CommandContext["loadConfig"] = async () => {
    const resolved = await resolveConfig();
    for (const warning of resolved.warnings) output.note(`warning: ${warning}`);
    return resolved;
  };
  return {
    output,
    stdin: input.stdin,
    stderr: input.stderr,
    env: input.env,
    flags,
    entry: input.entry,
    cwd: input.cwd ?? workingDirectory(),
    get signal() {
      return interrupt.signal;
    },
    loadApp,
    resolveConfig,
    loadConfig,
    withApp: async (use) => {
      const { config } = await loadConfig();
      const { createApp } = await loadApp();
      const app = await createApp(config);
      try {
        return await use(app);
      } finally {
        await app.close();
      }
    },
  };
}
