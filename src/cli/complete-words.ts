/**
 * What can stand at the end of a half-typed command line.
 *
 * Guarantees: answers from the commands themselves, so a new command or option is completed without
 * a word here; pure, and throws for no line at all.
 */
import type { Command, Option } from "commander";
import {
  SETTING_NAMES,
  SETTINGS,
  type SettingDefinition,
  type SettingName,
} from "../config/settings.ts";
import { CLIENTS } from "../memory/transfer/transcripts/line-verdict.ts";
import { PRIORITIES, ROLES, TIERS } from "../record/memory-record.ts";

export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/**
 * `files` and `directories`: the shell's own, beside the candidates; `nospace`: more of the same word
 * is to come.
 */
export type CompletionKind = "values" | "nospace" | "files" | "directories";

export interface Completion {
  readonly kind: CompletionKind;
  readonly candidates: readonly Candidate[];
}

/** Kinds of values by the name that help gives them: `--tier <tier>`. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  tier: TIERS,
  role: ROLES,
  priority: PRIORITIES,
  severity: choicesOf("log.level"),
};
/** Where a client may stand, or the first path at once. */
const CLIENT_OR_PATH = "client";
const FILES = ["file", "path", "paths"];
const DIRECTORIES = ["directory", "backup"];
const SETTING = "name=value";

const NOTHING: Completion = { kind: "values", candidates: [] };

/** @param words what follows the program's name; the last one is being typed, and may be empty */
export function completeWords(program: Command, words: readonly string[]): Completion {
  const typed = words.at(-1) ?? "";
  const place = walk(program, words.slice(0, -1));
  if (place.value !== undefined) return startingWith(typed, valuesOf(place.value, typed));
  if (place.optionsEnded || !typed.startsWith("-")) {
    return startingWith(typed, operandsOf(place, typed));
  }
  const at = typed.indexOf("=");
  if (at < 0) return startingWith(typed, { kind: "values", candidates: optionsOf(place) });
  const option = findOption(place.chain, typed.slice(0, at));
  if (option === undefined || !takesValue(option)) return NOTHING;
  const { kind, candidates } = valuesOf(option, typed.slice(at + 1));
  const whole = candidates.map(({ value, description }) => ({
    value: `${typed.slice(0, at + 1)}${value}`,
    description,
  }));
  return startingWith(typed, { kind, candidates: whole });
}

interface Place {
  /** The command, and those around it, the program last. */
  readonly chain: readonly Command[];
  /** Operands of the command before the word that is typed. */
  readonly operandCount: number;
  readonly optionsEnded: boolean;
  /** The option whose value is being typed. */
  readonly value: Option | undefined;
}

function walk(program: Command, words: readonly string[]): Place {
  let chain: readonly Command[] = [program];
  let operandCount = 0;
  let optionsEnded = false;
  let value: Option | undefined;
  for (const word of words) {
    if (value !== undefined) value = undefined;
    else if (optionsEnded) operandCount++;
    else if (word === "--") optionsEnded = true;
    else if (word.startsWith("-") && word !== "-") {
      const option = word.includes("=") ? undefined : findOption(chain, word);
      value = option !== undefined && takesValue(option) ? option : undefined;
    } else {
      const command = operandCount === 0 ? subcommandsOf(chain[0]).find(isNamed(word)) : undefined;
      if (command === undefined) operandCount++;
      else chain = [command, ...chain];
    }
  }
  return { chain, operandCount, optionsEnded, value };
}

function isNamed(word: string): (command: Command) => boolean {
  return (command) => command.name() === word || command.aliases().includes(word);
}

/** Those that help shows. */
function subcommandsOf(command: Command | undefined): readonly Command[] {
  return command === undefined ? [] : command.createHelp().visibleCommands(command);
}

function operandsOf({ chain, operandCount }: Place, typed: string): Completion {
  const [command] = chain;
  const operands = command?.registeredArguments ?? [];
  const last = operands.at(-1);
  const operand = operands[operandCount] ?? (last?.variadic === true ? last : undefined);
  const { kind, candidates } =
    operand === undefined ? NOTHING : ofKind(operand.name(), operand.argChoices, typed);
  if (operandCount > 0) return { kind, candidates };
  // A command may take a file or a command of its own, as import does.
  const commands = subcommandsOf(command).map((each) => ({
    value: each.name(),
    description: each.summary() || each.description(),
  }));
  return { kind, candidates: [...commands, ...candidates] };
}

function optionsOf({ chain }: Place): Candidate[] {
  return chain.flatMap((command) =>
    command
      .createHelp()
      .visibleOptions(command)
      .flatMap(({ long, description }) => (long ? [{ value: long, description }] : [])),
  );
}

function findOption(chain: readonly Command[], flag: string): Option | undefined {
  for (const { options } of chain) {
    const found = options.find(({ long, short }) => flag === long || flag === short);
    if (found !== undefined) return found;
  }
  return undefined;
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function valuesOf(option: Option, typed: string): Completion {
  const name = /[<[]([^>\].]+)/.exec(option.flags)?.[1] ?? "";
  return ofKind(name, option.argChoices, typed);
}

function ofKind(name: string, choices: readonly string[] | undefined, typed: string): Completion {
  const values = choices ?? VALUES[name];
  if (values !== undefined) return { kind: "values", candidates: values.map(plain) };
  if (name === CLIENT_OR_PATH) return { kind: "files", candidates: CLIENTS.map(plain) };
  if (name === SETTING) return settings(typed);
  if (FILES.includes(name)) return { kind: "files", candidates: [] };
  if (DIRECTORIES.includes(name)) return { kind: "directories", candidates: [] };
  return NOTHING;
}

function settings(typed: string): Completion {
  const at = typed.indexOf("=");
  if (at < 0) {
    const candidates = SETTING_NAMES.map((name) => ({
      value: `${name}=`,
      description: SETTINGS[name].help,
    }));
    return { kind: "nospace", candidates };
  }
  const name = SETTING_NAMES.find((each) => each === typed.slice(0, at));
  const values = name === undefined ? [] : choicesOf(name);
  return { kind: "values", candidates: values.map((value) => plain(`${name}=${value}`)) };
}

function choicesOf(name: SettingName): readonly string[] {
  const setting: SettingDefinition = SETTINGS[name];
  if (setting.expects === "true or false") return ["true", "false"];
  return setting.choices ?? [];
}

function plain(value: string): Candidate {
  return { value, description: "" };
}

function startingWith(typed: string, { kind, candidates }: Completion): Completion {
  return { kind, candidates: candidates.filter(({ value }) => value.startsWith(typed)) };
}
