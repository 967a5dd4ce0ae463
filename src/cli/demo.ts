/**
 * `memspool demo`: the promise, shown on real processes.
 *
 * Three servers share a fresh data directory; texts are captured through all of them; one is killed
 * without warning in the middle and started again; then every acknowledged word is looked for.
 * Exit code 0 only if nothing is lost, altered or stored twice and every question is answered.
 * The user's own data directory is never touched; the demo's is removed at the end.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Command } from "commander";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples } from "./option-values.ts";

/** Far beyond what it takes; a demo that hangs is a failed one. */
const DEMO_MS_MAX = 90_000;

export function demoCommand(run: RunCommand): Command {
  const command = new Command("demo")
    .description("Three servers, one killed on the way, and every word found again")
    .addHelpText("after", examples("memspool demo", "memspool demo --json"));
  return command.action(() => run(command.optsWithGlobals<GlobalOptions>(), demo));
}

async function demo(context: CommandContext): Promise<number> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(DEMO_MS_MAX)]);
  const home = await mkdtemp(join(tmpdir(), "memspool-demo-"));
  const { DemoFleet } = await import("./demo-fleet.ts");
  const { playDemo } = await import("./demo-play.ts");
  const fleet = new DemoFleet(context.entry, home);
  // Servers that go away make every waiting step fail, so an interruption ends the demo at once.
  const onAbort = () => void fleet.close();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const packageRoot = dirname(dirname(context.entry));
    const passed = await playDemo(context.output, fleet, packageRoot, signal);
    return passed ? EXIT_OK : EXIT_FAILED;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await fleet.close();
    await rm(home, { recursive: true, force: true, maxRetries: 3 });
  }
}
