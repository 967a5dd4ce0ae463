/** Reading the values of options; commander reports what is refused here as a wrong call. */
import { InvalidArgumentError } from "commander";
import { envName, SETTING_NAMES, SETTINGS, type SettingDefinition } from "../config/settings.ts";

export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

export function collectSetting(
  value: string,
  previous: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = value.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("Write it as name=value.");
  return { ...previous, [value.slice(0, at)]: value.slice(at + 1) };
}

export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return number;
  };
}

export function jsonObject(value: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new InvalidArgumentError("It is not JSON.");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new InvalidArgumentError('It must be a JSON object, such as {"ticket": 42}.');
  }
  return parsed as Record<string, unknown>;
}

/** As many words as fit, and the blank or end behind them. */
const LINE_OF_HELP = /(\S.{0,71})(?:\s+|$)/g;

/** The settings, for `memspool --help`, within 80 columns. */
export function describeSettings(): string {
  const lines = SETTING_NAMES.flatMap((name) => {
    const { default: absent, help, alsoEnv }: SettingDefinition = SETTINGS[name];
    const whole = alsoEnv === undefined ? help : `${help} (also ${alsoEnv})`;
    const isNone = absent === "" || (typeof absent === "object" && isEmpty(absent));
    const value = isNone ? "none" : String(absent);
    const meaning = whole.replace(LINE_OF_HELP, "    $1\n").trimEnd();
    return [`  ${name.padEnd(21)} ${envName(name)} (default ${value})`, meaning];
  });
  return [
    "Settings, strongest first: command line, environment, config.json in the data",
    "directory:",
    ...lines,
  ].join("\n");
}

function isEmpty(value: object | null): boolean {
  return value === null || Object.keys(value).length === 0;
}

/** Examples below a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}`;
}
