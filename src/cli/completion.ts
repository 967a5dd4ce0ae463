/**
 * `memspool completion <shell>`: the script that a shell loads, and the hidden command that the
 * script asks. What can be completed comes from the commands themselves.
 */
import { Argument, Command } from "commander";
import { EXIT_OK, type GlobalOptions, type RunCommand } from "./command-context.ts";
import { completionScript, SHELLS, type Shell } from "./completion-scripts.ts";
import { examples } from "./option-values.ts";
import { oneLine } from "./printable.ts";

/** Shells show one line of it. */
const DESCRIPTION_CHARS_MAX = 100;

export function completionCommand(run: RunCommand): Command {
  const command = new Command("completion")
    .description("Print the script that completes memspool's commands and options in a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      examples(
        "source <(memspool completion bash)",
        "memspool completion zsh > ~/.zfunc/_memspool",
        "memspool completion fish > ~/.config/fish/completions/memspool.fish",
      ),
    );
  return command.action((shell: Shell) =>
    run(command.optsWithGlobals<GlobalOptions>(), async ({ output }) => {
      const script = completionScript(shell);
      if (output.json) output.document({ shell, script });
      else await output.piece(script);
      return EXIT_OK;
    }),
  );
}

/** `memspool __complete -- words…`: `:kind` first, then a line each of value, tab, description. */
export function completeCommand(run: RunCommand): Command {
  const command = new Command("__complete").argument("[words...]").helpOption(false);
  return command.action((words: string[]) =>
    run({}, async ({ output }) => {
      const { completeWords } = await import("./complete-words.ts");
      const { kind, candidates } = completeWords(command.parent as Command, words);
      output.line(`:${kind}`);
      for (const { value, description } of candidates) {
        output.line(`${value}\t${oneLine(description).slice(0, DESCRIPTION_CHARS_MAX)}`);
      }
      return EXIT_OK;
    }),
  );
}
