/**
 * What stands behind `memspool hook` on the command line.
 *
 * Guarantees: pure. Read by hand, because the command line's own machinery takes longer to load
 * than a hook may take.
 */
import type { SettingFlags } from "../config/resolve-config.ts";
import { CLIENTS, type Client, HookFault } from "./hook-event.ts";

export interface HookCall {
  readonly client: Client;
  /** Codex's `notify` gives its JSON here instead of on stdin. */
  readonly payload: string | undefined;
  readonly flags: SettingFlags;
}

const OPTIONS: Readonly<Record<string, string>> = {
  "--home": "home",
  "--project": "project",
  "--log-level": "log.level",
};

/** The settings alone, as far as they can be read: a failure must find the data directory too. */
export function hookFlags(args: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {};
  for (let at = 0; at < args.length; at++) {
    const [option = "", inline] = splitOnce(args[at] ?? "");
    const value = inline ?? args[at + 1];
    const setting = OPTIONS[option];
    if (setting !== undefined && value !== undefined) flags[setting] = value;
    if (option === "--set" && value !== undefined) {
      const [name = "", given] = splitOnce(value);
      if (given !== undefined) flags[name] = given;
    }
    if (inline === undefined && (setting !== undefined || option === "--set")) at++;
  }
  return flags;
}

/** @throws HookFault CALL_WRONG */
export function hookCall(args: readonly string[]): HookCall {
  const words: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? "";
    // Behind the client's name stands JSON, whatever it begins with.
    if (!word.startsWith("--") || word.startsWith("{")) {
      words.push(word);
      continue;
    }
    const [option = "", inline] = splitOnce(word);
    if (option === "--json") continue; // every command takes it; a hook has nothing to print so
    if (OPTIONS[option] === undefined && option !== "--set") {
      throw new HookFault("CALL_WRONG", option);
    }
    if (inline === undefined) at++;
    if (inline === undefined && args[at] === undefined) throw new HookFault("CALL_WRONG", option);
  }
  const [name, payload, ...rest] = words;
  const client = CLIENTS.find((known) => known === name);
  if (client === undefined) throw new HookFault("CALL_WRONG", "client");
  if (rest.length > 0 || (payload !== undefined && client !== "codex")) {
    throw new HookFault("CALL_WRONG", "arguments");
  }
  return { client, payload, flags: hookFlags(args) };
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf("=");
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}
