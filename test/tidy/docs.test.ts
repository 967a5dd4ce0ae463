/** What the documents point at exists, and what they list is what the code has. */
import { expect, it } from "vitest";
import { envName, SETTINGS, type SettingDefinition } from "../../src/config/settings.ts";
import { ERROR_CODES } from "../../src/errors.ts";
import { EVENT_SEVERITY, type EventName } from "../../src/events/catalogue.ts";
import { isNeverSignal } from "../../src/events/signal.ts";
import { SIGNAL_CODES } from "../../src/events/signal-codes.ts";
import { anchorsOf, differences, linksOf, type Pointer, pathSpans } from "./doc-links.ts";
import { cataloguedEvents, documentedEvents } from "./event-fields.ts";
import { exists, readText, readTree } from "./source-tree.ts";

const ENTRANCES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
const documents = new Map([
  ...readTree("docs", ".md"),
  ...ENTRANCES.filter(exists).map((path) => [path, readText(path)] as const),
]);

it("the documents that a newcomer looks for are there", () => {
  const expected = [...ENTRANCES, "docs/ARCHITECTURE.md", "docs/QUEUE_FORMAT.md"];
  expect(expected.filter((path) => !documents.has(path))).toEqual([]);
});

function broken(pointers: readonly Pointer[], files: ReadonlyMap<string, string>): string[] {
  return pointers.flatMap(({ from, path, anchor }) => {
    if (!files.has(path) && !exists(path)) return [`${from} → ${path}`];
    const target = files.get(path);
    if (anchor === "" || target === undefined) return [];
    return anchorsOf(target).has(anchor) ? [] : [`${from} → ${path}#${anchor}`];
  });
}

it("every relative link leads to a file and a heading that exist", () => {
  expect(documents.size).toBeGreaterThan(5);
  const links = [...documents].flatMap(([path, text]) => linksOf(path, text));
  expect(links.length).toBeGreaterThan(5);
  expect(broken(links, documents)).toEqual([]);
});

it("every path in a code span exists", () => {
  const spans = [...documents].flatMap(([path, text]) => pathSpans(path, text));
  expect(spans.length).toBeGreaterThan(5);
  expect(broken(spans, documents)).toEqual([]);
});

const errorSections = readText("docs/ERRORS.md").split(/^### /m).slice(1);
const errorCodes = Object.keys(ERROR_CODES);

it("docs/ERRORS.md has a heading for every code, and says whether it is retryable", () => {
  const documented = errorSections.map((section) => section.split("\n", 1)[0] ?? "");
  expect(differences(errorCodes, documented)).toEqual({ undocumented: [], gone: [] });
  for (const section of errorSections) {
    const code = section.split("\n", 1)[0] as keyof typeof ERROR_CODES;
    const line = /^\*Retryable: (yes|no)\.?/m.exec(section)?.[1];
    expect(line, code).toBe(ERROR_CODES[code].retryable ? "yes" : "no");
  }
});

it("every error code is produced or named by a test", () => {
  // A pin lists all of them, and so would hide one that no test meets.
  const tests = [...readTree("test", ".ts")].filter(([path]) => !/^test\/(tidy|pins)\//.test(path));
  const text = tests.map(([, source]) => source).join("\n");
  expect(errorCodes.filter((code) => !new RegExp(`\\b${code}\\b`).test(text))).toEqual([]);
});

it("docs/EVENTS.md has every event with its severity and fields", () => {
  const path = "src/events/catalogue.ts";
  const documented = documentedEvents(readText("docs/EVENTS.md"));
  expect(documented.map(({ line }) => line)).toEqual(cataloguedEvents(path, readText(path)));
  expect(Object.fromEntries(documented.map(({ name, severity }) => [name, severity]))).toEqual(
    EVENT_SEVERITY,
  );
});

it("P6: docs/EVENTS.md has every code of a signal, and every event that becomes one", () => {
  const [, table = ""] = readText("docs/EVENTS.md").split(/^## /m);
  const rows = [...table.matchAll(/^\| `([A-Z_]+)` \| [^|]+ \| (.+) \|$/gm)];
  expect(rows.map(([, code]) => code).sort()).toEqual([...SIGNAL_CODES].sort());
  const documented = rows.flatMap(([, , events]) => [...(events ?? "").matchAll(/`(\w+)`/g)]);
  const events = (Object.keys(EVENT_SEVERITY) as EventName[]).filter(
    (name) => !isNeverSignal(name),
  );
  expect(differences(events, [...new Set(documented.map(([, name]) => name ?? ""))])).toEqual({
    undocumented: [],
    gone: [],
  });
});

it("decision 11 names every dependency, and each is pinned", () => {
  const { dependencies, devDependencies } = JSON.parse(readText("package.json")) as {
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  const rows = readText("docs/decisions/0011-dependencies.md").match(/^\| `.*/gm) ?? [];
  const documented = rows.flatMap((row) =>
    [...(row.split(" | ", 1)[0] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ""),
  );
  const versions = { ...dependencies, ...devDependencies };
  const expected = { undocumented: [], gone: [] };
  expect(differences(Object.keys(versions), documented)).toEqual(expected);
  expect(Object.values(versions).filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

it("environment variables that documents name belong to settings", () => {
  const others = Object.values(SETTINGS).flatMap(({ alsoEnv }: SettingDefinition) => alsoEnv ?? []);
  const known = [...Object.keys(SETTINGS).map(envName), ...others];
  const named = [...documents.values()].flatMap((text) => text.match(/\bMEMSPOOL_[A-Z_]*[A-Z]\b/g));
  const unknown = named.filter((name) => name !== null && !known.includes(name));
  expect(unknown).toEqual([]);
});

it("sees a dead link, a dead heading and a dead path", () => {
  const text =
    "# One two\n[a](gone.md) [b](#one-two) [c](#three) [d](https://a.test/x)\n`src/x.ts`";
  const files = new Map([["docs/a.md", text]]);
  expect(broken(linksOf("docs/a.md", text), files)).toEqual([
    "docs/a.md → docs/gone.md",
    "docs/a.md → docs/a.md#three",
  ]);
  expect(broken(pathSpans("docs/a.md", text), files)).toEqual(["docs/a.md → src/x.ts"]);
  expect(linksOf("a.md", "```\n[a](gone.md)\n```\n`[b](gone.md)`")).toEqual([]);
});

it("sees a code or event that is missing on either side", () => {
  expect(differences(["A", "B"], ["B", "C"])).toEqual({ undocumented: ["A"], gone: ["C"] });
  const source = "export interface EventFields { a_b: { n: number; why: 'x' | 'y' }; }";
  expect(cataloguedEvents("a.ts", source)).toEqual(["a_b: n number, why 'x' | 'y'"]);
  const section = "### a_b · info\n\n| field | type | |\n|---|---|---|\n| `n` | number | x |\n";
  expect(documentedEvents(section)).toEqual([
    { name: "a_b", severity: "info", line: "a_b: n number" },
  ]);
});
