/**
 * `memspool diag`: the quota and what fills it, and what else somebody who helps wants to know.
 *
 * The first lines are read by other programs and keep their form: `Quota:`, the use, the thresholds,
 * and the largest done files, a name and its size in bytes a line.
 */
import { Command } from "commander";
import type { Diagnosis } from "../app/diagnose.ts";
import { EXIT_OK, type GlobalOptions, type RunCommand } from "./command-context.ts";
import { examples } from "./option-values.ts";
import { counted, oneLine, shortBytes } from "./printable.ts";

export function diagCommand(run: RunCommand): Command {
  const command = new Command("diag")
    .description("Show the disk quota, the largest done files, counts, limits and versions")
    .addHelpText(
      "after",
      `${examples("memspool diag", "memspool diag --json > diag.json")}\n\n` +
        "It holds no record's text, no path and no secret, so it may be shown to others.",
    );
  return command.action(() =>
    run(command.optsWithGlobals<GlobalOptions>(), (context) =>
      context.withApp(async (app) => {
        const { output } = context;
        const diagnosis = await app.diagnose();
        if (output.json) output.document(diagnosis);
        else
          for (const line of [...quotaLines(diagnosis), "", ...otherLines(diagnosis)])
            output.line(line);
        return EXIT_OK;
      }),
    ),
  );
}

function quotaLines({ spool, largest_done }: Diagnosis): string[] {
  return [
    "Quota:",
    `Usage: ${spool.used_mb}MB / ${spool.quota_mb}MB (${spool.state})`,
    `Thresholds: ${spool.soft_pct}% soft, ${spool.hard_pct}% hard`,
    ...largest_done.map(({ name, bytes }) => `${oneLine(name)} ${bytes} bytes`),
  ];
}

function otherLines(diagnosis: Diagnosis): string[] {
  const { counts, spool, pressure, limits, stalls, runtime, store, done_files } = diagnosis;
  const bytes = diagnosis.spool_bytes;
  const size = (of: number | undefined) => (of === undefined ? "size unknown" : shortBytes(of));
  const { refused } = pressure;
  const records = store.records === null ? "" : `, ${counted(store.records, "record")}`;
  const inodes =
    bytes?.free_inodes === null ? "inodes not limited" : `${bytes?.free_inodes} inodes`;
  const limit =
    limits.memory_bytes === null
      ? "no limit"
      : `limit ${shortBytes(limits.memory_bytes)} (${limits.memory_source})`;
  return [
    `State: ${diagnosis.state}`,
    `Pressure: ${pressure.reason === "" ? pressure.state : oneLine(pressure.reason)}`,
    `Pending: ${counts.pending}, ${size(bytes?.pending)}`,
    `Spilled: ${counts.spilled}, ${size(bytes?.spilled)}`,
    `Done: ${counted(done_files, "file")}, ${size(bytes?.done)}, ${size(bytes?.trimmable)} may be trimmed`,
    `Quarantine: ${counts.quarantined}, ${size(bytes?.quarantine)}, not counted by the quota`,
    `Temporary: ${size(bytes?.temp)}, not counted by the quota`,
    `Forgetting: ${counted(counts.forgetting, "order")} under way`,
    `Refused: ${spool.dropped_batches} by quota, ${refused.early_drop} early, ${refused.memory} for memory`,
    `Store: ${store.kind} ${store.state}${records}${store.bytes === null ? "" : `, ${shortBytes(store.bytes)}`}`,
    `Disk: ${bytes === null ? "could not be looked at" : `${shortBytes(bytes.free)} and ${inodes} free`}`,
    `Memory: ${limit}, this command uses ${shortBytes(limits.rss_bytes)}`,
    `CPU: ${limits.cpu_quota === null ? "no quota" : `quota ${limits.cpu_quota}`}, ${counted(limits.cpus, "processor")}`,
    stalls.known
      ? `Stalls: cpu ${stalls.cpu} %, memory ${stalls.memory} %, io ${stalls.io} %`
      : "Stalls: not known here",
    `Runtime: memspool ${runtime.memspool}, node ${runtime.node}, ${runtime.platform} ${runtime.arch}`,
  ];
}
