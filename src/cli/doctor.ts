/**
 * `memspool doctor`: is this installation fit to keep its promise, and what to do if not.
 *
 * Guarantees: ends within 15 s whatever hangs (supervised-doctor.ts); makes no data directory; a configuration that stops
 * every server, and parts that can not be opened, are findings here and no errors. Shows names of
 * settings and never their values.
 */
import { access } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { Command, Option } from "commander";
import type { App } from "../app.ts";
import { type DataPaths, dataPaths } from "../config/data-paths.ts";
import { type ResolvedConfig, resolveHome } from "../config/resolve-config.ts";
import { MemspoolError } from "../errors.ts";
import type { ConfigurationFacts } from "../health/check-configuration.ts";
import {
  configurationCheck,
  directoryChecks,
  hooksCheck,
  queueChecks,
} from "../health/health-checks.ts";
import { exitCodeOf, healthReport } from "../health/report.ts";
import { type NamedCheck, runChecks } from "../health/run-checks.ts";
import { hookCounts } from "../hooks/hook-trace.ts";
import { hooksDirectory } from "../hooks/hooks-directory.ts";
import type { HealthCheck, HealthReport } from "../memory/memory.ts";
import type { CommandContext, GlobalOptions, RunCommand } from "./command-context.ts";
import { examples } from "./option-values.ts";
import type { Output, Style } from "./output.ts";
import { oneLine } from "./printable.ts";
import { SUPERVISED_MS_MAX, superviseDoctor } from "./supervised-doctor.ts";

export function doctorCommand(run: RunCommand): Command {
  const command = new Command("doctor")
    .description("Check configuration, directories, disk, store and ingester, and say what to do")
    .addHelpText(
      "after",
      `${examples("memspool doctor", "memspool doctor --json")}\n\n` +
        "Exit codes: 0 healthy, 1 degraded (captures are safe), 2 failing.",
    );
  command.addOption(new Option(HERE, "runs the checks in this process").hideHelp());
  return command.action(() => {
    const options = command.optsWithGlobals<DoctorOptions>();
    return run(options, async (context) => {
      const report = options.here === true ? await examine(context) : await supervised(context);
      show(context.output, report);
      return exitCodeOf(report.status);
    });
  });
}

interface DoctorOptions extends GlobalOptions {
  readonly here?: boolean;
}

const HERE = "--here";

/** By a process of its own, which may hang; by this one if none can be started. */
async function supervised(context: CommandContext): Promise<HealthReport> {
  const answer = await superviseDoctor(context, HERE);
  if (answer.report !== undefined) return answer.report;
  return answer.why === "ended" ? examine(context) : healthReport([SILENT]);
}

const SILENT: HealthCheck = {
  name: "doctor",
  status: "failing",
  detail: `no check was done within ${SUPERVISED_MS_MAX / 1_000} s`,
  advice: "The disk or network file system under the data directory hangs, or the machine does.",
};

async function examine(context: CommandContext): Promise<HealthReport> {
  const { facts, resolved } = await within<Examined>(LOOK_MS_MAX, examineConfiguration(context), {
    facts: {
      set: {},
      warnings: [],
      error: { message: "config.json could not be read in time: the file system hangs" },
    },
  });
  const paths = pathsOf(context, resolved);
  const parts = new LazyApp(context, resolved);
  const checks = [
    configurationCheck(facts),
    ...(paths === undefined ? [] : directoryChecks(paths, resolved?.config)),
    ...(paths !== undefined &&
    resolved !== undefined &&
    (await within(LOOK_MS_MAX, isThere(paths.queueDir), false))
      ? [
          storeFinding(parts),
          ...queueChecks(
            async () => (await parts.get()).memory.status(),
            async () => (await parts.get()).memoryLimit(),
          ),
        ]
      : []),
    ...(paths === undefined ? [] : [hooksCheck(() => hookCounts(hooksDirectory(paths.home)))]),
  ];
  try {
    return await runChecks(checks);
  } finally {
    await parts.close();
  }
}

/** Before the checks, which have their own bound; all together stay under 15 s. */
const LOOK_MS_MAX = 1_000;

/** The answer, or the fallback if none comes in time. */
async function within<T>(msMax: number, answer: Promise<T>, fallback: T): Promise<T> {
  const waiting = new AbortController();
  const late = setTimeout(msMax, fallback, { signal: waiting.signal }).catch(() => fallback);
  try {
    return await Promise.race([answer, late]);
  } finally {
    waiting.abort();
  }
}

interface Examined {
  readonly facts: ConfigurationFacts;
  readonly resolved?: ResolvedConfig;
}

async function examineConfiguration(context: CommandContext): Promise<Examined> {
  try {
    const resolved = await context.resolveConfig();
    const set = Object.entries(resolved.sources).filter(([, source]) => source !== "default");
    return { facts: { set: Object.fromEntries(set), warnings: resolved.warnings }, resolved };
  } catch (error) {
    if (!(error instanceof MemspoolError)) throw error;
    return { facts: { set: {}, warnings: [], error } };
  }
}

/** Undefined if not even the data directory's name is right. */
function pathsOf(context: CommandContext, resolved?: ResolvedConfig): DataPaths | undefined {
  if (resolved !== undefined) return dataPaths(resolved.config.home);
  try {
    return dataPaths(resolveHome({ flags: context.flags, env: context.env }));
  } catch (error) {
    if (error instanceof MemspoolError && error.code === "CONFIG_INVALID") return undefined;
    throw error;
  }
}

/** The parts, opened when the first check asks, so that a failure to open is that check's result. */
class LazyApp {
  readonly #context: CommandContext;
  readonly #resolved: ResolvedConfig | undefined;
  #opening: Promise<App> | undefined;
  #opened: App | undefined;

  constructor(context: CommandContext, resolved: ResolvedConfig | undefined) {
    this.#context = context;
    this.#resolved = resolved;
  }

  get(): Promise<App> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** Does not wait for parts that are still opening: whatever hangs there has been reported. */
  async close(): Promise<void> {
    await this.#opened?.close();
  }

  async #open(): Promise<App> {
    if (this.#resolved === undefined) throw new TypeError("there is no configuration to open with");
    const { createApp } = await this.#context.loadApp();
    this.#opened = await createApp(this.#resolved.config);
    return this.#opened;
  }
}

/** The store is behind the parts' own health report, which knows how to ask it. */
function storeFinding(parts: LazyApp): NamedCheck {
  const run = async (): Promise<HealthCheck> => {
    const { memory } = await parts.get();
    const { checks } = await memory.health();
    const found = checks.find(({ name }) => name === "store");
    if (found === undefined) throw new TypeError("the health report says nothing of the store");
    return found;
  };
  return { name: "store", run, silence: "degraded" };
}

const MARKS: Readonly<Record<HealthCheck["status"], readonly [mark: string, style: Style]>> = {
  ok: ["ok", "green"],
  degraded: ["degraded", "yellow"],
  failing: ["failing", "red"],
};

function show(output: Output, report: HealthReport): void {
  if (output.json) {
    output.document(report);
    return;
  }
  for (const { name, status, detail, advice } of report.checks) {
    const [mark, style] = MARKS[status];
    const text = advice === undefined ? detail : `${detail.replace(/\.$/, "")}. ${advice}`;
    const label = `${output.style(style, mark.padEnd(9))} ${name.padEnd(16)} `;
    output.entry(label, 27, oneLine(text));
  }
  const [mark, style] = MARKS[report.status];
  output.line(`\n${output.style(style, mark)}`);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Whatever the reason, the write probe names it.
    return false;
  }
}
