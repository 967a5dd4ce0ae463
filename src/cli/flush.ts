/** `memspool flush`: asks the server that leads to drain now, and waits. */
import { Command } from "commander";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples, wholeNumber } from "./option-values.ts";
import { shortDuration } from "./printable.ts";

interface FlushOptions extends GlobalOptions {
  readonly timeout: number;
}

const TIMEOUT_DEFAULT_S = 30;
const TIMEOUT_MAX_S = 3_600;

export function flushCommand(run: RunCommand): Command {
  const command = new Command("flush")
    .description(
      "Ask the server that ingests to drain now, and wait; exit code 1 if some stay. Without a " +
        "server use drain",
    )
    .option("--timeout <seconds>", "longest wait", wholeNumber(0, TIMEOUT_MAX_S), TIMEOUT_DEFAULT_S)
    .addHelpText("after", examples("memspool flush", "memspool flush --timeout 5 --json"));
  return command.action(() => {
    const options = command.optsWithGlobals<FlushOptions>();
    return run(options, (context) => flush(context, options.timeout));
  });
}

async function flush(context: CommandContext, timeoutS: number): Promise<number> {
  const { output, signal } = context;
  const bar = await output.progress("flushing");
  const result = await context.withApp(async ({ memory }) => {
    try {
      return await memory.flush({
        timeout_ms: timeoutS * 1_000,
        signal,
        onProgress: ({ drained, total }) => bar.update(drained, total),
      });
    } finally {
      bar.stop();
    }
  });
  if (output.json) output.document(result);
  else {
    output.line(`${result.drained} drained in ${shortDuration(result.ms)}`);
    if (result.remaining > 0) {
      output.line(
        `${result.remaining} still in the queue, safe there; see who drains: memspool status`,
      );
    }
  }
  return result.remaining === 0 ? EXIT_OK : EXIT_FAILED;
}
