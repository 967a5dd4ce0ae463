/** `memspool rebuild`: makes a new store from everything that can still be read, and swaps it in. */
import { Command } from "commander";
import type { RebuildResult } from "../memory/rebuild/rebuild-result.ts";
import {
  type CommandContext,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples } from "./option-values.ts";
import type { Output } from "./output.ts";
import { counted, shortBytes, shortDuration } from "./printable.ts";

interface RebuildCommandOptions extends GlobalOptions {
  readonly dryRun?: boolean;
  readonly acceptMissing?: boolean;
}

export function rebuildCommand(run: RunCommand): Command {
  const command = new Command("rebuild")
    .description(
      "Make a new store from the old one's readable rows, the done archive and the queue",
    )
    .option("--dry-run", "build and report, keep nothing")
    .option("--accept-missing", "use the new store although it lacks records of the old one")
    .addHelpText("after", examples("memspool rebuild --dry-run", "memspool rebuild --json"));
  return command.action(() => {
    const options = command.optsWithGlobals<RebuildCommandOptions>();
    return run(options, (context) => rebuild(context, options));
  });
}

async function rebuild(context: CommandContext, options: RebuildCommandOptions): Promise<number> {
  const { output, signal } = context;
  const bar = await output.progress("rebuilding");
  const result = await context.withApp(async (app) => {
    try {
      return await app.rebuild({
        dryRun: options.dryRun,
        acceptMissing: options.acceptMissing,
        signal,
        onWaiting: () => output.note(WAITING),
        onProgress: ({ done, total }) => bar.update(done, total),
      });
    } finally {
      bar.stop();
    }
  });
  if (output.json) output.document(result);
  else tell(output, result);
  return EXIT_OK;
}

const WAITING = "Another process holds the ingester's lease; waiting for it to end …";

const SOURCES = {
  old_store: "old store",
  archive: "done archive",
  spilled: "overflow",
  pending: "queue",
} as const satisfies Record<keyof RebuildResult["sources"], string>;

const NAME_CELLS = 14;

function tell(output: Output, result: RebuildResult): void {
  const { old_store: old, archive } = result;
  output.line(
    `${counted(result.records, "record")} in the new store, after ${shortDuration(result.ms)}`,
  );
  for (const [source, name] of Object.entries(SOURCES)) {
    const { records, duplicates } = result.sources[source as keyof typeof SOURCES];
    output.entry(name, NAME_CELLS, `${counted(records, "record")}, ${duplicates} known before`);
  }
  output.entry("the old store", NAME_CELLS, `was ${old.state}`);
  if (old.unproved_rows > 0) {
    output.line(`${counted(old.unproved_rows, "row")} of it did not match what had been stored`);
  }
  if (archive.skipped_stretches > 0) {
    const bytes = shortBytes(archive.skipped_bytes);
    output.line(
      `${counted(archive.skipped_stretches, "damaged place")} of the done archive skipped (${bytes})`,
    );
  }
  if (result.unread_envelopes > 0) {
    const count = counted(result.unread_envelopes, "envelope");
    output.line(`${count} in queue or overflow could not be read; left there for the ingester`);
  }
  if (result.forgotten > 0) {
    output.line(`${counted(result.forgotten, "record")} left out, as they were forgotten`);
  }
  tellIds(output, "conflicts, the first text kept", result.conflicts);
  tellIds(output, "of the old store missing", result.missing);
  if (result.missing_unnamed > 0) {
    output.line(`${result.missing_unnamed} more missing by the old store's count, ids unknown`);
  }
  if (result.unaccounted) tellIds(output, "captured once and found nowhere", result.unaccounted);
  if (!result.swapped) output.line("Nothing was changed: this was a dry run.");
  else if (result.kept === null) output.line("The new store is in place.");
  else output.line(`The new store is in place; the old one is kept beside it as ${result.kept}`);
}

function tellIds(output: Output, what: string, ids: RebuildResult["missing"]): void {
  if (ids.count === 0) return;
  output.line(`${ids.count} ${what}:`);
  for (const ulid of ids.ulids) output.line(`  ${ulid}`);
  if (ids.count > ids.ulids.length) output.line(`  and ${ids.count - ids.ulids.length} more`);
}
