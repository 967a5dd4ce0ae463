/** `memspool import transcripts`: what was said before memspool listened. */
import { userInfo } from "node:os";
import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { projectFor } from "../config/project-for.ts";
import { MemspoolError } from "../errors.ts";
import type { TranscriptsResult } from "../memory/transfer/transcripts/import-job.ts";
import {
  CLIENTS,
  type Client,
  type SkipRule,
} from "../memory/transfer/transcripts/line-verdict.ts";
import {
  defaultRoots,
  type TranscriptRoot,
} from "../memory/transfer/transcripts/transcript-files.ts";
import { isoTimeSchema, timeMs } from "../record/memory-record.ts";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { tellHeldUp } from "./held-up.ts";
import { examples } from "./option-values.ts";
import { counted, oneLine } from "./printable.ts";

interface TranscriptsCommandOptions extends GlobalOptions {
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly session?: string;
  readonly includeTools?: boolean;
  readonly dryRun?: boolean;
}

/** Options of `import <file>`, which commander also takes here. */
const OF_IMPORT = ["format", "tag", "strict"];

const MIB = 1_048_576;
const SHOWN_MAX = 20;
const RULE_CELLS = 26;

const RULES: Readonly<Record<SkipRule, string>> = {
  bookkeeping: "lines about the session, not in it",
  thinking: "the assistant's reasoning",
  tool: "tool calls and their results (see --include-tools)",
  "no-text": "pictures alone, or nothing",
  injected: "what the client added: reminders, surroundings, instructions",
  "local-command": "commands that ran in the client, and their output",
  "bare-command": "slash commands without words",
  interruption: "marks of an interruption",
  "compact-summary": "summaries that the client made of the session so far",
  subagent: "talk between the assistant and its helpers",
  "client-message": "the client's own words about a failure",
  copied: "lines copied from an earlier session, which has them",
  "told-twice": "turns that the file holds in two forms",
  "other-session": "of another session than the one asked for",
  "before-since": "older than asked for",
};

export function importTranscriptsCommand(run: RunCommand): Command {
  const command = new Command("transcripts")
    .description(
      "Capture what was said in earlier sessions, from Claude Code's and Codex's own files",
    )
    .argument("[client]", `${CLIENTS.join(" or ")}; both unless given`)
    .argument("[paths...]", "files, or directories of *.jsonl; the clients' own unless given")
    .option("--since <time>", "only what was said from then on, ISO 8601", isoTime)
    .option("--session <id>", "only this session")
    .option("--include-tools", "also the results of tools, as records of role tool")
    .option("--dry-run", "count, and change nothing")
    .addHelpText(
      "after",
      `\nCan be repeated and interrupted: a turn is stored once, also one that a hook captured. Lines of
an unknown kind are kept in the project transcript-unknown-lines. docs/TRANSCRIPTS.md says
what is a turn. Exit code 1 if a file or line could not be read, or a turn not be captured.\n${examples(
        "memspool import transcripts --dry-run",
        "memspool import transcripts claude-code --since 2026-01-01",
        "memspool import transcripts codex ~/old/rollouts --project atlas",
      )}`,
    );
  return command.action((client: string | undefined, paths: string[]) => {
    const options = command.optsWithGlobals<TranscriptsCommandOptions>();
    const named = CLIENTS.find((each) => each === client);
    const places = named === undefined && client !== undefined ? [client, ...paths] : paths;
    return run(options, (context) => importAll(context, named, places, options));
  });
}

async function importAll(
  context: CommandContext,
  client: Client | undefined,
  paths: readonly string[],
  options: TranscriptsCommandOptions,
): Promise<number> {
  const { output, signal, env } = context;
  const foreign = OF_IMPORT.find((name) => name in options);
  if (foreign !== undefined) {
    throw new MemspoolError(
      "INVALID_ARGUMENT",
      `--${foreign} is for memspool import <file>. Leave it out; see memspool import transcripts --help.`,
    );
  }
  const given = paths.map((path) => ({ path: resolve(path), client, isDefault: false }));
  const home = env.HOME || userInfo().homedir;
  const roots = given.length > 0 ? given : defaultRoots(env, home, client);
  const settings = await context.resolveConfig();
  const bar = await output.progress("reading transcripts, MiB");
  const result = await context.withApp((app) =>
    app
      .importTranscripts(roots, {
        sinceMs: options.since,
        sessionId: options.session,
        includeTools: options.includeTools,
        dryRun: options.dryRun,
        projectOf: (cwd) => projectFor(settings, cwd),
        signal,
        onHeldUp: tellHeldUp(output, bar),
        onProgress: (done, total) => bar.update(Math.floor(done / MIB), Math.ceil(total / MIB)),
      })
      .finally(() => bar.stop()),
  );
  if (output.json) output.document(result);
  else report(context, result, roots);
  const needsLook = result.failed_files + result.unreadable_lines + result.refused;
  return needsLook === 0 ? EXIT_OK : EXIT_FAILED;
}

function report(
  { output }: CommandContext,
  result: TranscriptsResult,
  roots: readonly TranscriptRoot[],
): void {
  if (result.files + result.failed_files === 0) {
    output.line(`There are no transcripts in ${roots.map(({ path }) => path).join(", ")}`);
    return;
  }
  const done = result.dry_run ? "would import" : "imported";
  const what = `${output.style("green", done)} ${counted(result.captured, "turn")}`;
  output.line(`${what} from ${counted(result.lines, "line")} of ${counted(result.files, "file")}`);
  const lines: [number, string, string][] = [
    [result.already_here, "turn", "already here"],
    [result.unknown_lines, "line", "of an unknown kind, kept word for word"],
    [result.unreadable_lines, "line", "that could not be read"],
    [result.left_for_next, "line", "still being written, left for the next time"],
    [result.refused, "turn", "that could not be captured; see the warnings"],
    [result.failed_files, "file", "that could not be read; see the warnings"],
  ];
  for (const [count, noun, what] of lines) {
    if (count > 0) output.line(`${counted(count, noun)} ${what}`);
  }
  const skipped = Object.entries(result.skipped).filter(([, count]) => count > 0);
  if (skipped.length > 0) output.line("no turns, by rule:");
  for (const [rule, count] of skipped) {
    output.entry(`  ${rule} ${count}`, RULE_CELLS, RULES[rule as SkipRule]);
  }
  for (const { file, line, reason } of result.notes.slice(0, SHOWN_MAX)) {
    const where = line === undefined ? oneLine(file) : `${oneLine(file)}, line ${line},`;
    output.note(`warning: ${where} ${oneLine(reason)}`);
  }
}

function isoTime(value: string): number {
  if (isoTimeSchema.safeParse(value).success) return timeMs(value);
  throw new InvalidArgumentError("Write it as 2026-03-01 or 2026-03-01T09:30:00Z.");
}
