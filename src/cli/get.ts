/**
 * `memspool get`: a record's text, word for word.
 *
 * Guarantees: to a pipe or file exactly the text's bytes go out, nothing before or after. On a
 * terminal control characters are shown as symbols, for a text must not be able to drive it.
 */
import { Command } from "commander";
import { MemspoolError } from "../errors.ts";
import type { GetResult, Memory } from "../memory/memory.ts";
import { wtf8Encode } from "../record/content-hash.ts";
import { GET_CHARS_MAX, RECORD_TEXT_BYTES_MAX } from "../record/limits.ts";
import {
  type CommandContext,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples } from "./option-values.ts";
import { manyLines } from "./printable.ts";

export function getCommand(run: RunCommand): Command {
  const command = new Command("get")
    .description("Print a record's text word for word; with --json the whole record")
    .argument("<ulid>", "the record's id, or an alias of it")
    .addHelpText(
      "after",
      examples(
        "memspool get 01JQ7Z8X9YABCDEFGHJKMNPQRS",
        "memspool get 01JQ… > exactly-as-said.txt",
      ),
    );
  return command.action((ulid: string) =>
    run(command.optsWithGlobals<GlobalOptions>(), (context) => get(context, ulid)),
  );
}

async function get(context: CommandContext, ulid: string): Promise<number> {
  const result = await context.withApp(({ memory }) => getWhole(memory, ulid));
  const { output } = context;
  const { surface } = result.record;
  if (output.json) output.document(result);
  else if (output.terminal) output.line(manyLines(surface));
  else output.bytes(wtf8Encode(surface));
  return EXIT_OK;
}

/** All pages of a record as one. */
export async function getWhole(memory: Pick<Memory, "get">, ulid: string): Promise<GetResult> {
  const first = await memory.get({ ulid, length: GET_CHARS_MAX });
  const parts = [first.record.surface];
  let offset = first.next_offset;
  // A text of n bytes has at most n code units, and every page brings at least one.
  for (let page = 1; offset !== undefined && page <= RECORD_TEXT_BYTES_MAX; page++) {
    const next = await memory.get({ ulid, offset, length: GET_CHARS_MAX });
    parts.push(next.record.surface);
    offset = next.next_offset;
  }
  const surface = parts.join("");
  if (surface.length !== first.total_chars) {
    throw new MemspoolError(
      "INTERNAL",
      `The record's pages hold ${surface.length} of its ${first.total_chars} characters. ` +
        "Run memspool doctor, and please report it.",
    );
  }
  return { record: { ...first.record, surface }, total_chars: first.total_chars };
}
