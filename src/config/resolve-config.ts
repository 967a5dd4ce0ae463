/**
 * From what the user said in three places to one checked, frozen configuration.
 *
 * Guarantees: pure; the strongest source of a setting wins: arguments, then environment, then file,
 * then default. Every value that is given is checked, also one that a stronger source overrides,
 * because it would stop the next start. A value is never corrected, cut or ignored.
 * Does not guarantee that a path exists or can be used: that is the doctor's and the queue's work.
 */
import { userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { MemspoolError } from "../errors.ts";
import { checkRelations } from "./setting-relations.ts";
import {
  type Config,
  envName,
  SETTING_NAMES,
  SETTINGS,
  type SettingDefinition,
  type SettingName,
} from "./settings.ts";
import { workingDirectory } from "./working-directory.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Settings as given on the command line; absent or undefined is not given. */
export type SettingFlags = Readonly<Partial<Record<string, unknown>>>;

export type SettingSource = "argument" | "environment" | "file" | "default";

export interface ConfigInputs {
  readonly flags?: SettingFlags | undefined;
  readonly env: Environment;
  /** The parsed config.json, if there is one. */
  readonly file?: unknown;
  /** What `~` and a relative path stand on; the process's own unless a test says otherwise. */
  readonly homedir?: string | undefined;
  readonly cwd?: string | undefined;
}

export interface ResolvedConfig {
  readonly config: Config;
  readonly sources: Readonly<Record<SettingName, SettingSource>>;
  /** One sentence each; nothing that stops a start. */
  readonly warnings: readonly string[];
}

/** Longest part of a bad value that an error repeats. */
const SHOWN_CHARS_MAX = 80;

/**
 * @throws MemspoolError CONFIG_INVALID with `details` {setting, source, value, expects}
 */
export function resolveConfig(inputs: ConfigInputs): ResolvedConfig {
  const flags = definedOf(inputs.flags ?? {});
  refuseUnknown(Object.keys(flags), "argument");
  const file = fileSettings(inputs.file);
  const values: Partial<Record<SettingName, unknown>> = {};
  const sources = {} as Record<SettingName, SettingSource>;
  for (const name of SETTING_NAMES) {
    values[name] = check(name, SETTINGS[name].default, "default");
    sources[name] = "default";
    const { alsoEnv }: SettingDefinition = SETTINGS[name];
    const given: readonly (readonly [SettingSource, unknown])[] = [
      ["file", file[name]],
      ["environment", alsoEnv === undefined ? undefined : inputs.env[alsoEnv]],
      ["environment", inputs.env[envName(name)]],
      ["argument", flags[name]],
    ];
    for (const [source, value] of given) {
      if (value === undefined) continue;
      values[name] = check(name, value, source);
      sources[name] = source;
    }
  }
  const config = values as { -readonly [N in SettingName]: Config[N] };
  checkRelations(config);
  config.home = absolutePath(config.home, inputs, inputs.cwd ?? workingDirectory());
  if (config["log.file"] !== "") {
    config["log.file"] = absolutePath(config["log.file"], inputs, config.home);
  }
  return Object.freeze({
    config: Object.freeze(config),
    sources: Object.freeze(sources),
    warnings: Object.freeze(unknownVariables(inputs.env)),
  });
}

/** The data directory alone, which must be known before its config.json can be read. */
export function resolveHome(inputs: Omit<ConfigInputs, "file">): string {
  const flag = inputs.flags?.home;
  const fromEnv = inputs.env[envName("home")];
  const [source, value]: [SettingSource, unknown] =
    flag !== undefined
      ? ["argument", flag]
      : fromEnv !== undefined
        ? ["environment", fromEnv]
        : ["default", SETTINGS.home.default];
  const home = check("home", value, source) as string;
  return absolutePath(home, inputs, inputs.cwd ?? workingDirectory());
}

function check(name: SettingName, value: unknown, source: SettingSource): unknown {
  const { schema, expects } = SETTINGS[name];
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const shown = show(value);
  throw new MemspoolError(
    "CONFIG_INVALID",
    `${name} is ${shown} (${describeSource(name, source)}), but must be ${expects}. ` +
      "Correct it there.",
    { details: { setting: name, source, value: shown, expects } },
  );
}

function describeSource(name: string, source: SettingSource): string {
  if (source === "environment") return `environment variable ${variableOf(name)}`;
  if (source === "file") return "config.json in the data directory";
  return source === "argument" ? "command line" : "default";
}

function variableOf(name: string): string {
  const { alsoEnv }: Partial<SettingDefinition> = SETTINGS[name as SettingName] ?? {};
  return alsoEnv === undefined ? envName(name) : `${envName(name)} or ${alsoEnv}`;
}

function fileSettings(file: unknown): Partial<Record<string, unknown>> {
  if (file === undefined) return {};
  if (typeof file !== "object" || file === null || Array.isArray(file)) {
    throw new MemspoolError(
      "CONFIG_INVALID",
      'config.json does not hold a JSON object. Write it as {"setting": value, …}.',
      { details: { setting: "", source: "file", value: show(file), expects: "a JSON object" } },
    );
  }
  const settings = file as Record<string, unknown>;
  refuseUnknown(Object.keys(settings), "file");
  if (Object.hasOwn(settings, "home")) {
    throw new MemspoolError(
      "CONFIG_INVALID",
      "config.json sets home, but it lies in the data directory itself. " +
        `Remove it there and set ${envName("home")} or --home instead.`,
      { details: { setting: "home", source: "file", value: "", expects: "not set in the file" } },
    );
  }
  return settings;
}

function refuseUnknown(names: readonly string[], source: SettingSource): void {
  const unknown = names.find((name) => !Object.hasOwn(SETTINGS, name));
  if (unknown === undefined) return;
  const shown = show(unknown);
  throw new MemspoolError(
    "CONFIG_INVALID",
    `${shown} is no setting of memspool (${describeSource("", source)}). ` +
      `The settings are ${SETTING_NAMES.join(", ")}.`,
    { details: { setting: shown, source, value: "", expects: SETTING_NAMES } },
  );
}

/** A mistyped variable must not pass in silence; another program's must not stop a start. */
function unknownVariables(env: Environment): string[] {
  const known = new Set(
    SETTING_NAMES.flatMap((name) => {
      const { alsoEnv }: SettingDefinition = SETTINGS[name];
      return [envName(name), ...(alsoEnv === undefined ? [] : [alsoEnv])];
    }),
  );
  return Object.keys(env)
    .filter((name) => name.startsWith("MEMSPOOL_") && !known.has(name))
    .sort()
    .map((name) => `environment variable ${show(name)} is no setting of memspool and is ignored`);
}

function definedOf(flags: SettingFlags): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

function absolutePath(path: string, inputs: Omit<ConfigInputs, "file">, base: string): string {
  if (path !== "~" && !path.startsWith("~/"))
    return isAbsolute(path) ? resolve(path) : join(base, path);
  // An empty HOME is as good as none: its data directory would lie in the root of the file system.
  return join(inputs.homedir ?? (inputs.env.HOME || userInfo().homedir), path.slice(1));
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? typeof value;
  return text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX)}…`;
}
