/**
 * What a setting's value may look like: small checks that turn text from the environment into the
 * value meant.
 *
 * Guarantees: pure, and loads nothing: a hook has a tenth of a second and reads its settings first,
 * where the schema library alone would cost more than the capture.
 */

/** As a schema of zod answers, so that one can stand here too. */
export interface SettingCheck<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** Own patterns, and the characters of each. */
export const PATTERN_COUNT_MAX = 64;
export const PATTERN_CHARS_MAX = 1_024;

function checked<T>(read: (value: unknown) => T | undefined): SettingCheck<T> {
  return {
    safeParse: (value) => {
      const data = read(value);
      return data === undefined ? { success: false } : { success: true, data };
    },
  };
}

export function text(isRight: (value: string) => boolean): SettingCheck<string> {
  return checked((value) => (typeof value === "string" && isRight(value) ? value : undefined));
}

/** A whole number; text only in plain decimal digits, so that "", "0x10" and true are refused. */
export function count(min: number, max: number) {
  const schema = checked((value) => {
    const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number)) return undefined;
    return number >= min && number <= max ? number : undefined;
  });
  return { schema, expects: `a whole number from ${min} to ${max}` };
}

const BYTE_LIMIT_DIGITS = /^\d{1,20}$/;

/** As cgroups write a limit: bytes, or `max` for none. What no machine has is none, too: 0. */
export const byteLimit = {
  schema: checked((value) => {
    if (value === "max") return 0;
    const bytes =
      typeof value === "string" && BYTE_LIMIT_DIGITS.test(value) ? Number(value) : value;
    if (typeof bytes !== "number" || !Number.isInteger(bytes) || bytes < 0) return undefined;
    return Number.isSafeInteger(bytes) ? bytes : 0;
  }),
  expects: "a whole number of bytes, 0 or max for no limit",
};

export function choice<const Names extends readonly [string, ...string[]]>(names: Names) {
  const schema = checked((value) => names.find((name) => name === value) as Names[number]);
  return { schema, choices: names, expects: `one of ${names.join(", ")}` };
}

const WORDS_OF_TRUTH: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...["true", "1", "yes", "on", "y", "enabled"].map((word) => [word, true] as const),
  ...["false", "0", "no", "off", "n", "disabled"].map((word) => [word, false] as const),
]);

export const onOff = {
  schema: checked((value) =>
    typeof value === "boolean"
      ? value
      : WORDS_OF_TRUTH.get(typeof value === "string" ? value.toLowerCase() : undefined),
  ),
  expects: "true or false",
};

/** Regular expressions in ECMAScript's syntax, with the flag u. */
export const patternList = {
  schema: checked((value) => {
    const list = typeof value === "string" ? parsed(value, []) : value;
    if (!Array.isArray(list) || list.length > PATTERN_COUNT_MAX) return undefined;
    return list.every(isPattern) ? Object.freeze([...(list as readonly string[])]) : undefined;
  }),
  expects:
    `a JSON array of at most ${PATTERN_COUNT_MAX} regular expressions, ` +
    `each of at most ${PATTERN_CHARS_MAX} characters and none that matches the empty text`,
};

/** Project → days. Its prototype is null, so that a project may have any name. */
export function daysByProject(daysMax: number, projectBytesMax: number) {
  const schema = checked((value) => {
    const map = typeof value === "string" ? parsed(value, {}) : value;
    if (typeof map !== "object" || map === null || Array.isArray(map)) return undefined;
    const isRight = ([project, days]: [string, unknown]) =>
      project !== "*" &&
      Buffer.byteLength(project) <= projectBytesMax &&
      Number.isSafeInteger(days) &&
      (days as number) >= 0 &&
      (days as number) <= daysMax;
    if (!Object.entries(map).every(isRight)) return undefined;
    const copy: Record<string, number> = Object.assign(Object.create(null), map);
    return Object.freeze(copy);
  });
  return { schema, expects: `a JSON object of projects and whole numbers from 0 to ${daysMax}` };
}

function parsed(value: string, empty: unknown): unknown {
  if (value === "") return empty;
  try {
    return JSON.parse(value);
  } catch {
    return undefined; // no JSON: the answer to the question
  }
}

function isPattern(source: unknown): boolean {
  if (typeof source !== "string" || source === "" || source.length > PATTERN_CHARS_MAX)
    return false;
  try {
    return !new RegExp(source, "u").test("");
  } catch {
    return false; // a SyntaxError is the answer
  }
}
