/** `memspool capture`: one record from the command line or stdin, and its receipt. */
import { Command } from "commander";
import { MemspoolError } from "../errors.ts";
import type { CaptureInput } from "../memory/memory.ts";
import {
  type CommandContext,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { collect, examples, jsonObject } from "./option-values.ts";
import { readText } from "./read-text.ts";

interface CaptureOptions extends GlobalOptions {
  readonly cue?: string;
  readonly tier?: string;
  readonly session?: string;
  readonly role?: string;
  readonly source?: string;
  readonly at?: string;
  readonly tag?: readonly string[];
  readonly metadata?: Record<string, unknown>;
  readonly priority?: string;
  readonly key?: string;
  readonly supersedes?: readonly string[];
  readonly retryUlid?: string;
}

const STDIN = "-";

export function captureCommand(run: RunCommand): Command {
  const command = new Command("capture")
    .description("Remember a text word for word; prints the receipt once it is on disk")
    .argument("[text]", "the text; absent or - is stdin, byte for byte")
    .option("--cue <text>", "words it should also be found by")
    .option("--tier <tier>", "working, episodic (default), semantic or procedural")
    .option("--session <id>", "the conversation it belongs to")
    .option("--role <role>", "who said it: user, assistant, system or tool")
    .option("--source <name>", "where it comes from")
    .option("--at <time>", "when it was said, ISO 8601")
    .option("--tag <tag>", "a tag, repeatable", collect)
    .option("--metadata <json>", "a JSON object to keep with it", jsonObject)
    .option("--priority <priority>", "high, normal (default) or low")
    .option("--key <key>", "idempotency key: the same key and text are stored once")
    .option("--supersedes <ulid>", "a record that this corrects, repeatable", collect)
    .option("--retry-ulid <ulid>", "id of an earlier attempt whose outcome was unknown")
    .addHelpText(
      "after",
      examples(
        'memspool capture "The staging database moved to port 5433." --tag infra',
        "git log -1 | memspool capture --session release-42 --source git",
        "memspool capture - --metadata '{\"ticket\": 42}' < notes.txt",
      ),
    );
  return command.action((text: string | undefined) => {
    const options = command.optsWithGlobals<CaptureOptions>();
    return run(options, (context) => capture(context, text, options));
  });
}

async function capture(
  context: CommandContext,
  argument: string | undefined,
  options: CaptureOptions,
): Promise<number> {
  const surface = await surfaceFrom(context, argument);
  const input = recordFrom(surface, options);
  const receipt = await context.withApp(({ memory }) => memory.capture(input));
  const { output } = context;
  if (output.json) {
    output.document(receipt);
    return EXIT_OK;
  }
  output.line(`${output.style("green", "captured")} ${receipt.ulid}`);
  if (receipt.redacted !== undefined) {
    const { private: spans, secrets } = receipt.redacted;
    output.line(`taken out before it was stored: ${spans} private, ${secrets} secret`);
  }
  output.line(output.style("dim", `${receipt.state}: on disk; sha256 ${receipt.sha256}`));
  return EXIT_OK;
}

async function surfaceFrom(context: CommandContext, argument: string | undefined): Promise<string> {
  if (argument !== undefined && argument !== STDIN) return argument;
  if (argument === undefined && context.stdin.isTTY === true) {
    throw new MemspoolError(
      "INVALID_ARGUMENT",
      "There is no text to capture. Give it as an argument, or send it to stdin.",
    );
  }
  return readText(context.stdin);
}

/** Absent options stay absent fields; what is wrong with a value, the record's own schema says. */
function recordFrom(surface: string, options: CaptureOptions): CaptureInput {
  const fields = {
    surface,
    cue: options.cue,
    tier: options.tier,
    session_id: options.session,
    role: options.role,
    // Of this command, --project names the record's project; without it the setting's applies.
    project: options.project,
    source: options.source,
    occurred_at: options.at,
    tags: options.tag,
    metadata: options.metadata,
    priority: options.priority,
    idempotency_key: options.key,
    supersedes: options.supersedes,
    retry_ulid: options.retryUlid,
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as unknown as CaptureInput;
}
