/** Settings and thresholds as the documents tell them are those of the code. */
import { expect, it } from "vitest";
import {
  envName,
  SETTING_NAMES,
  SETTINGS,
  type SettingDefinition,
  type SettingName,
} from "../../src/config/settings.ts";
import { readText } from "./source-tree.ts";

/** The cells of each row of a document's tables, without the rows of headings. */
function rowsOf(document: string): string[][] {
  const lines = readText(document).split("\n");
  const rows = lines.filter((line) => line.startsWith("| "));
  return rows
    .map((line) => line.split("|").slice(1, -1))
    .map((row) => row.map((cell) => cell.trim()));
}

function spansIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span);
}

/** Of a constant in a source file, `A_MS = 30_000` or a product of such. */
function constantIn(file: string, name: string): number {
  const [, value = ""] = new RegExp(`const ${name} = ([\\d_.* ]+);`).exec(readText(file)) ?? [];
  return value
    .split("*")
    .reduce((product, factor) => product * Number(factor.replaceAll("_", "")), 1);
}

function shown(value: unknown): string {
  if (value === "" || (typeof value === "object" && Object.keys(value as object).length === 0)) {
    return "none";
  }
  return String(value);
}

it("P11: docs/SETTINGS.md has every setting with its variables and its default", () => {
  const rows = rowsOf("docs/SETTINGS.md").filter(([name = ""]) => name.startsWith("`"));
  const documented = rows.map(([name = ""]) => spansIn(name)[0] as SettingName);
  expect(documented.toSorted()).toEqual(SETTING_NAMES.toSorted());
  for (const [name = "", variables = "", value = ""] of rows) {
    const setting = spansIn(name)[0] as SettingName;
    const { alsoEnv, default: fallback } = SETTINGS[setting] as SettingDefinition;
    expect(spansIn(variables), setting).toEqual([envName(setting), ...(alsoEnv ? [alsoEnv] : [])]);
    expect(value.replaceAll("`", ""), setting).toBe(shown(fallback));
  }
});

it("the README's settings say the same", () => {
  const all = rowsOf("docs/SETTINGS.md").map((row) => row.join("|"));
  const few = rowsOf("README.md").filter(([, variable = ""]) => variable.startsWith("`MEMSPOOL_"));
  expect(few.length).toBeGreaterThan(5);
  expect(few.map((row) => row.join("|")).filter((row) => !all.includes(row))).toEqual([]);
});

it("docs/PRESSURE.md has the thresholds of the code", () => {
  const rows = rowsOf("docs/PRESSURE.md").filter(([, , source = ""]) => /^`/.test(source));
  expect(rows.length).toBeGreaterThan(30);
  for (const [what = "", value = "", source = ""] of rows) {
    const [first = "", constant = ""] = spansIn(source);
    const told = Number(/^[\d,.]+/.exec(value)?.[0].replaceAll(",", ""));
    const own = SETTINGS[first as SettingName] as SettingDefinition | undefined;
    expect(told, what).toBe(own ? own.default : constantIn(first, constant));
  }
});
