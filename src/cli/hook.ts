/**
 * `memspool hook`: what an assistant's client runs by itself. Here it is described and, where somebody
 * calls it in an unusual way, run; dist/main.js goes straight to hook-program.ts, because a hook has
 * a tenth of a second and this file's neighbours take longer to load.
 */
import { Command } from "commander";
import type { ProgramInput } from "./command-context.ts";
import { runHookProgram } from "./hook-program.ts";
import { examples } from "./option-values.ts";

export function hookCommand(input: ProgramInput): Command {
  return new Command("hook")
    .description("Capture one event of an assistant's client; it runs this by itself")
    .argument("[client]", "claude-code or codex")
    .argument("[json]", "the event, as Codex's notify gives it; absent is stdin")
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      "after",
      `${examples(
        "memspool hook claude-code < event.json",
        "memspool hook codex < event.json",
        'memspool hook codex \'{"type": "agent-turn-complete", …}\'',
      )}\n\n` +
        "Exit code: always 0, so that the client's turn goes on. What could not be captured shows\n" +
        "in memspool status and memspool doctor.",
    )
    .action(async () => {
      const { argv } = input;
      const at = argv.indexOf("hook");
      // Options may stand in front of the command's name too.
      await runHookProgram(input, [...argv.slice(at + 1), ...argv.slice(0, at)]);
    });
}
