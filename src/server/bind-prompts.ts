/**
 * The prompts' side of the protocol: `prompts/list` and `prompts/get`.
 *
 * Listing touches no memory. Whatever is wrong with a name or an argument is the protocol's
 * "invalid params" with our own code in `data`; nothing runs before all arguments are checked.
 */
import { MemspoolError, reportError } from "../errors.ts";
import type { Memory } from "../memory/memory.ts";
import { clip } from "../tools/fit-answer.ts";
import type { PromptDefinition } from "./prompts/define-prompt.ts";
import { INVALID_PARAMS, type ProtocolError, toProtocolError } from "./protocol-error.ts";
import type { RequestHandlers } from "./request-handler.ts";

/** @param load the catalogue; loaded when a client asks for it, because few do */
export function promptHandlers(
  load: () => Promise<readonly PromptDefinition[]>,
  memory: Memory,
): RequestHandlers {
  return {
    "prompts/list": async () => ({ prompts: (await load()).map(listPrompt) }),
    "prompts/get": async (params) => {
      const prompt = findPrompt(await load(), params.name);
      const args = checkedArguments(prompt, params.arguments);
      try {
        const text = await prompt.write(args, memory);
        const message = { role: "user", content: { type: "text", text } };
        return { description: prompt.description, messages: [message] };
      } catch (error) {
        const isAsked = reportError(error).code === "NOT_FOUND";
        throw toProtocolError(error, isAsked ? INVALID_PARAMS : undefined);
      }
    },
  };
}

/** @throws ProtocolError naming the prompt that is not there */
export function findPrompt(prompts: readonly PromptDefinition[], name: unknown): PromptDefinition {
  const found = prompts.find((prompt) => prompt.name === name);
  if (found !== undefined) return found;
  const asked = typeof name === "string" ? JSON.stringify(clip(name, 64)) : "without a name";
  const known = prompts.map((prompt) => prompt.name).join(", ");
  throw refused(`Unknown prompt ${asked}. This server has: ${known}.`);
}

function listPrompt({ name, title, description, ...prompt }: PromptDefinition) {
  const args = prompt.arguments.map(({ name, description, required }) => ({
    name,
    description,
    required,
  }));
  return { name, title, description, arguments: args };
}

function checkedArguments(prompt: PromptDefinition, given: unknown): Record<string, string> {
  const args = given ?? {};
  const names = prompt.arguments.map(({ name }) => name).join(", ");
  if (typeof args !== "object" || Array.isArray(args)) {
    throw refused(`arguments must be an object. ${prompt.name} takes: ${names}.`);
  }
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(args)) {
    const argument = prompt.arguments.find((each) => each.name === name);
    if (argument === undefined) {
      const shown = JSON.stringify(clip(name, 64));
      throw refused(`Unknown argument ${shown}. ${prompt.name} takes: ${names}.`);
    }
    if (typeof value !== "string") throw refused(`${name} must be of type string.`);
    if (value.length > argument.charsMax) {
      throw refused(
        `${name} is ${value.length} characters long, the limit is ${argument.charsMax}. Shorten it.`,
      );
    }
    checked[name] = value;
  }
  for (const { name, required } of prompt.arguments) {
    if (!required || (checked[name] ?? "").trim() !== "") continue;
    throw refused(`${name} is required. ${prompt.name} takes: ${names}.`);
  }
  return checked;
}

function refused(message: string): ProtocolError {
  return toProtocolError(new MemspoolError("INVALID_ARGUMENT", message), INVALID_PARAMS);
}
