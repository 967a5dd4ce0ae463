/**
 * `completion/complete`: proposals for a prompt's arguments and for the variables in a resource's
 * address.
 *
 * An argument that nothing can be proposed for gets an empty list, as the protocol wants; a prompt,
 * resource or argument that does not exist is "invalid params".
 */
import { MemspoolError } from "../errors.ts";
import type { Memory } from "../memory/memory.ts";
import { clip } from "../tools/fit-answer.ts";
import { findPrompt } from "./bind-prompts.ts";
import type { Completer } from "./completer.ts";
import type { PromptDefinition } from "./prompts/define-prompt.ts";
import { INVALID_PARAMS, type ProtocolError, toProtocolError } from "./protocol-error.ts";
import type { RequestHandlers } from "./request-handler.ts";
import type { ResourceDefinition } from "./resources/define-resource.ts";

type Fields = Readonly<Record<string, unknown>>;

export function completionHandlers(
  loadPrompts: () => Promise<readonly PromptDefinition[]>,
  resources: readonly ResourceDefinition[],
  memory: Memory,
): RequestHandlers {
  return {
    "completion/complete": async (params) => {
      const argument = fields(params.argument);
      const { name, value } = argument;
      if (typeof name !== "string" || typeof value !== "string") {
        throw refused("argument must be {name, value}, both strings.");
      }
      const ref = fields(params.ref);
      const complete =
        ref.type === "ref/prompt"
          ? ofPrompt(findPrompt(await loadPrompts(), ref.name), name)
          : ofResource(resources, ref, name);
      try {
        const proposals = await complete?.(memory, value, chosenValues(params.context));
        const { values, hasMore } = proposals ?? { values: [], hasMore: false };
        return { completion: { values, hasMore } };
      } catch (error) {
        throw toProtocolError(error);
      }
    },
  };
}

function ofPrompt(prompt: PromptDefinition, name: string): Completer | undefined {
  const argument = prompt.arguments.find((each) => each.name === name);
  if (argument !== undefined) return argument.complete;
  const names = prompt.arguments.map((each) => each.name).join(", ");
  throw refused(`Unknown argument ${shown(name)}. ${prompt.name} takes: ${names}.`);
}

function ofResource(
  resources: readonly ResourceDefinition[],
  ref: Fields,
  name: string,
): Completer | undefined {
  if (ref.type !== "ref/resource" || typeof ref.uri !== "string") {
    throw refused("ref must be {type: ref/prompt, name} or {type: ref/resource, uri}.");
  }
  const resource = resources.find(({ uri, uriTemplate }) =>
    [uri, uriTemplate].includes(ref.uri as string),
  );
  if (resource === undefined) {
    throw refused(`Unknown resource template ${shown(ref.uri)}. See resources/templates/list.`);
  }
  const variables = resource.variables ?? {};
  return Object.hasOwn(variables, name) ? variables[name] : undefined;
}

/** What the client says of the other arguments; only texts count. */
function chosenValues(context: unknown): Record<string, string> {
  const entries = Object.entries(fields(fields(context).arguments));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function shown(name: string): string {
  return JSON.stringify(clip(name, 64));
}

function refused(message: string): ProtocolError {
  return toProtocolError(new MemspoolError("INVALID_ARGUMENT", message), INVALID_PARAMS);
}
