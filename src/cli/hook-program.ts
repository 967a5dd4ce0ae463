/**
 * `memspool hook` with what it needs of the process, and nothing else: the entry of dist/hook.js.
 *
 * Guarantees: resolves and never rejects. What the recall needs, the store among it, is loaded only
 * when a session starts.
 */
import { refuseHalfRestored } from "../app/half-restored.ts";
import { workingDirectory } from "../config/working-directory.ts";
import { runHook } from "../hooks/run-hook.ts";
import type { ProgramInput } from "./command-context.ts";

/** @param args behind `hook` */
export async function runHookProgram(
  { env, stdin, stdout, stderr }: Pick<ProgramInput, "env" | "stdin" | "stdout" | "stderr">,
  args: readonly string[],
): Promise<void> {
  // A client that closed its end has nothing to read; that is no failure of the hook's.
  for (const stream of [stdin, stdout, stderr]) stream.on("error", () => {});
  await runHook({
    args,
    env,
    cwd: workingDirectory(),
    stdin,
    print: (text) => stdout.write(text),
    complain: (text) => stderr.write(text),
    refuseHome: refuseHalfRestored,
    recall: async (config) => {
      const { recallText } = await import("./hook-recall.ts");
      return recallText(config);
    },
  });
}
