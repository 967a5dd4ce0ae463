/** `memspool forget` with the parts of this process: places the order and has it carried out. */
import {
  carryOutHere,
  type ForgetHereOptions,
  type ForgetHereParts,
} from "../ingest/forget-here.ts";
import type { ForgetInput, ForgetResult, Memory } from "../memory/memory.ts";

/** @throws as Memory.forget and carryOutHere */
export async function forgetHere(
  parts: ForgetHereParts & { readonly memory: Pick<Memory, "forget"> },
  input: ForgetInput,
  options: ForgetHereOptions,
): Promise<ForgetResult> {
  const result = await parts.memory.forget({ ...input, timeout_ms: 0 });
  if (result.state !== "purging" || result.request === undefined) return result;
  if (!(await carryOutHere(parts, result.request, options))) return result;
  const { advice: _done, ...rest } = result;
  return { ...rest, state: "forgotten" };
}
