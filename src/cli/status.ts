/** `memspool status`: what waits, who drains, what is stored. */
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import type { StatusReport } from "../memory/memory.ts";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  EXIT_USAGE,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples } from "./option-values.ts";
import type { Output } from "./output.ts";
import { counted, oneLine, shortBytes, shortDuration, shortTime } from "./printable.ts";

interface StatusOptions extends GlobalOptions {
  readonly watch?: boolean;
}

const WHEN_FULL: Readonly<Record<StatusReport["queue"]["overflow"], string>> = {
  spill: "the oldest are spilled",
  reject: "captures are refused",
  "drop-oldest": "the oldest are dropped",
};
const WATCH_MS = 2_000;
const CLEAR_SCREEN = "\u001b[H\u001b[2J";

export function statusCommand(run: RunCommand): Command {
  const command = new Command("status")
    .description("Show queue, ingester and store; exit code 1 when degraded, 2 when failing")
    .option("--watch", "again every two seconds, until Ctrl-C")
    .addHelpText(
      "after",
      examples("memspool status", "memspool status --json", "memspool status --watch"),
    );
  return command.action(() => {
    const options = command.optsWithGlobals<StatusOptions>();
    return run(options, (context) =>
      context.withApp(async ({ memory }) => {
        const once = async () => show(context, await memory.status());
        return options.watch === true ? watch(context, once) : once();
      }),
    );
  });
}

async function watch(context: CommandContext, once: () => Promise<number>): Promise<number> {
  const { signal, output } = context;
  let exitCode = EXIT_OK;
  while (!signal.aborted) {
    if (output.terminal && !output.json) output.bytes(Buffer.from(CLEAR_SCREEN));
    exitCode = await once();
    // An interrupted wait is the way to end this.
    await delay(WATCH_MS, undefined, { signal }).catch(() => {});
  }
  return exitCode;
}

function show({ output }: CommandContext, status: StatusReport): number {
  if (output.json) output.document(status);
  else describe(output, status);
  return status.state === "ok" ? EXIT_OK : status.state === "degraded" ? EXIT_FAILED : EXIT_USAGE;
}

function describe(output: Output, status: StatusReport): void {
  const { queue, ingester, store } = status;
  const colour = status.state === "ok" ? "green" : status.state === "degraded" ? "yellow" : "red";
  const entry = (name: string, text: string) => output.entry(name, 11, text);
  entry("state", output.style(colour, status.state));
  for (const reason of status.reasons) entry("", oneLine(reason));
  entry("data", oneLine(status.data_dir));
  if (status.project !== "") entry("project", oneLine(status.project));
  const oldest =
    queue.oldest_age_ms === null ? "" : `, the oldest for ${shortDuration(queue.oldest_age_ms)}`;
  entry("queue", `${queue.depth} pending (${shortBytes(queue.bytes)})${oldest}`);
  entry("", `at most ${queue.max_records} pending, then ${WHEN_FULL[queue.overflow]}`);
  entry("", `${queue.spilled} spilled`);
  entry("", `${queue.quarantined} in quarantine`);
  if (queue.forgetting > 0) entry("", `${counted(queue.forgetting, "order")} to forget under way`);
  const { leader, last_batch: last, delayed } = ingester;
  const since = leader === null ? "" : ` since ${shortTime(leader.since)}`;
  entry("ingester", leader === null ? "no process drains" : `process ${leader.pid}${since}`);
  if (last !== null) entry("", `last batch ${last.count} in ${shortDuration(last.ms)}`);
  if (delayed !== null) entry("", `waits until ${shortTime(delayed.until)} after ${delayed.code}`);
  const records = store.records === null ? "" : `, ${counted(store.records, "record")}`;
  const bytes = store.bytes === null ? "" : `, ${shortBytes(store.bytes)}`;
  entry("store", `${store.kind} ${store.state}${records}${bytes}`);
  if (store.error !== null) entry("", `${store.error.code}: ${oneLine(store.error.message)}`);
  const { hooks, privacy, retention } = status;
  if (hooks.captured + hooks.failures > 0) {
    const failed = hooks.failures === 0 ? "" : `, ${counted(hooks.failures, "failure")}`;
    entry("hooks", `${counted(hooks.captured, "turn")} captured${failed}`);
  }
  if (retention.on) {
    const days = retention.days === 0 ? "for ever" : counted(retention.days, "day");
    const own = retention.projects === 0 ? "" : `, ${counted(retention.projects, "project")} apart`;
    const done = counted(retention.forgotten, "record");
    entry("retention", `on, kept ${days}${own}; forgotten by this process: ${done}`);
  }
  const takenOut = [
    ...(privacy.private_spans ? ["<private> spans"] : []),
    ...(privacy.secrets ? ["known secrets"] : []),
    ...(privacy.patterns > 0 ? [counted(privacy.patterns, "own pattern")] : []),
  ];
  if (takenOut.length > 0) entry("privacy", `on, taken out before storing: ${takenOut.join(", ")}`);
}
