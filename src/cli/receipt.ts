/** `memspool receipt`: where an acknowledged record is now. */
import { Command } from "commander";
import type { ReceiptResult } from "../memory/memory.ts";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples } from "./option-values.ts";
import { oneLine } from "./printable.ts";

/** States in which the words are safe, or on their way. */
const WELL: ReadonlySet<ReceiptResult["state"]> = new Set([
  "pending",
  "spilled",
  "ingested",
  "duplicate",
]);

export function receiptCommand(run: RunCommand): Command {
  const command = new Command("receipt")
    .description(
      "Say where a record is; exit code 1 if it is in quarantine, dropped, forgotten or unknown",
    )
    .argument("<ulid>", "the id that the capture returned")
    .addHelpText(
      "after",
      examples(
        "memspool receipt 01JQ7Z8X9YABCDEFGHJKMNPQRS",
        "memspool receipt 01JQ7Z8X9YABCDEFGHJKMNPQRS --json",
      ),
    );
  return command.action((ulid: string) =>
    run(command.optsWithGlobals<GlobalOptions>(), (context) => receipt(context, ulid)),
  );
}

async function receipt(context: CommandContext, ulid: string): Promise<number> {
  const { output } = context;
  const result = await context.withApp(({ memory }) => memory.receipt(ulid));
  if (output.json) output.document(result);
  else {
    const entry = (name: string, text: string | undefined) => {
      if (text !== undefined) output.entry(name, 12, oneLine(text));
    };
    entry("state", result.state);
    entry("captured", result.appended_at);
    entry("sha256", result.sha256);
    entry("same as", result.duplicate_of);
    entry("why", result.reason && `${result.reason.code}: ${result.reason.message}`);
    entry("forgotten", result.forgotten_at);
    entry("reason", result.forget_reason);
    entry("store", result.store_error && `${result.store_error.code}: it could not be asked`);
  }
  return WELL.has(result.state) ? EXIT_OK : EXIT_FAILED;
}
