/**
 * `memspool verify`: where is every record that was ever acknowledged, and is it whole.
 *
 * Guarantees: reads only; exit code 0 if nothing is missing or damaged, 1 if something is, 2 if it
 * could not be told. Shows ids and file names, never a record's text.
 */
import { Command } from "commander";
import { MemspoolError } from "../errors.ts";
import { FINDINGS, type FindingView } from "../memory/verify/findings.ts";
import type { VerifyReport, VerifyStep } from "../memory/verify/report.ts";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  EXIT_USAGE,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples } from "./option-values.ts";
import type { Output, Progress } from "./output.ts";
import { oneLine, shortDuration } from "./printable.ts";

interface VerifyCommandOptions extends GlobalOptions {
  readonly quick?: boolean;
}

/** It could not be told. */
const EXIT_NOT_DONE = EXIT_USAGE;

export function verifyCommand(run: RunCommand): Command {
  const command = new Command("verify")
    .description("Recount every record that was ever acknowledged, and check that it is whole")
    .option("--quick", "only where each record is: no hashes, no comparing of rows")
    .addHelpText(
      "after",
      `
It may run beside a server. Exit codes: 0 nothing is missing or damaged,
1 something is, 2 it could not be told.
${examples("memspool verify", "memspool verify --quick", "memspool verify --json")}`,
    );
  return command.action(() => {
    const options = command.optsWithGlobals<VerifyCommandOptions>();
    return run(options, (context) => verify(context, options));
  });
}

async function verify(context: CommandContext, options: VerifyCommandOptions): Promise<number> {
  const { output } = context;
  let report: VerifyReport;
  try {
    report = await recount(context, options.quick === true);
  } catch (error) {
    output.error(context.signal.aborted ? interrupted() : error);
    return EXIT_NOT_DONE;
  }
  if (output.json) output.document(report);
  else await show(output, report);
  return report.ok ? EXIT_OK : EXIT_FAILED;
}

async function recount(context: CommandContext, quick: boolean): Promise<VerifyReport> {
  const { signal } = context;
  const bars = new StepBars(context.output);
  try {
    return await context.withApp((app) =>
      app.verify({
        quick,
        signal,
        onProgress: ({ step, done, total }) => void bars.update(step, done, total),
      }),
    );
  } finally {
    await bars.stop();
  }
}

/** One bar a step, one after the other. */
class StepBars {
  readonly #output: Output;
  #step: VerifyStep | undefined;
  #bar: Promise<Progress> | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  async update(step: VerifyStep, done: number, total: number): Promise<void> {
    if (step !== this.#step) {
      const last = this.#bar;
      this.#step = step;
      this.#bar = this.#next(last, step);
    }
    (await this.#bar)?.update(done, total);
  }

  async stop(): Promise<void> {
    (await this.#bar)?.stop();
  }

  async #next(last: Promise<Progress> | undefined, step: VerifyStep): Promise<Progress> {
    (await last)?.stop();
    return this.#output.progress(`verifying: ${step}`);
  }
}

const SUM = [
  ["stored", "in the store"],
  ["duplicates", "the same as one in the store"],
  ["pending", "in the queue"],
  ["spilled", "in the overflow"],
  ["quarantined", "set aside"],
  ["forgotten", "purged for good"],
  ["dropped", "lost on purpose"],
  ["missing", "lost, or to be had back from archive or backup"],
] as const;

async function show(output: Output, report: VerifyReport): Promise<void> {
  await output.table(
    [{ head: "", width: 14 }, { head: "records", width: 14 }, { head: "which are" }],
    [
      [
        SUM.map(([place]) => place).join("\n"),
        SUM.map(([place]) => report[place]).join("\n"),
        SUM.map(([, where]) => where).join("\n"),
      ],
      ["captured", String(report.captured), "all that was ever acknowledged"],
    ],
  );
  const { checked } = report;
  output.line(
    `looked at ${checked.envelopes} envelopes, ${checked.rows} rows (${checked.index_rows} of them ` +
      `in the index), ${checked.archive_records} archived records, ${checked.ledger_lines} ledger ` +
      `lines and ${checked.audit_lines} audit lines in ${shortDuration(report.ms)}` +
      (report.quick ? ", without their content" : ""),
  );
  for (const note of report.notes) output.line(`${output.style("yellow", "note")} ${line(note)}`);
  for (const problem of report.problems) {
    output.line(`${output.style("red", "problem")} ${line(problem)}`);
  }
  const [style, verdict] = report.ok
    ? (["green", "nothing is missing or damaged"] as const)
    : (["red", "something is missing or damaged"] as const);
  output.line(output.style(style, verdict));
}

function line({ kind, count, examples: shown, advice }: FindingView): string {
  const more = count > shown.length ? ", …" : "";
  return oneLine(`${count} ${FINDINGS[kind].what} (${shown.join(", ")}${more}). ${advice}`);
}

function interrupted(): MemspoolError {
  return new MemspoolError("SHUTTING_DOWN", "It was interrupted before it was done. Run it again.");
}
