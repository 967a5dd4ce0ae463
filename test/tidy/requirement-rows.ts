/**
 * Reads the rows of docs/REQUIREMENTS.md and the rows that test names claim to show.
 *
 * A row opens a paragraph as `**Q1 [c], claimed.**`, `**I6 [c], claimed in part (…).**` or
 * `**H2, planned.**`; `[c]` marks a row that only counts when a test fails without it.
 */
import ts from "typescript";

export interface RequirementRow {
  readonly id: string;
  /** Only counts when a test fails without it. */
  readonly checked: boolean;
  readonly state: "claimed" | "claimed in part" | "planned";
}

const ROW = /^\*\*([A-Z]\d+)( \[c\])?,\s(claimed in part|claimed|planned)(?:\s\([^)]*\))?\.\*\*/gm;

export function requirementRows(markdown: string): RequirementRow[] {
  return [...markdown.matchAll(ROW)].map(([, id, checked, state]) => ({
    id: id as string,
    checked: checked !== undefined,
    state: state as RequirementRow["state"],
  }));
}

/** Names of all tests in a file: the first argument of `it`, `test` and what hangs off them. */
export function testNames(path: string, text: string): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(?:it|test)\b/.test(node.expression.getText())) {
      const name = node.arguments[0];
      if (name !== undefined && ts.isStringLiteralLike(name)) names.push(name.text);
      else if (name !== undefined && ts.isTemplateExpression(name)) names.push(name.head.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

/** Claimed `[c]` rows that no test's name begins with. */
export function rowsWithoutTest(
  rows: readonly RequirementRow[],
  names: readonly string[],
): string[] {
  const shown = new Set(names.map((name) => /^([A-Z]\d+):/.exec(name)?.[1]));
  return rows
    .filter(({ checked, state }) => checked && state !== "planned")
    .flatMap(({ id }) => (shown.has(id) ? [] : [id]));
}

/** Rows that test names begin with and that the document does not have. */
export function unknownRows(rows: readonly RequirementRow[], names: readonly string[]): string[] {
  const known = new Set(rows.map(({ id }) => id));
  return names.filter((name) => {
    const row = /^([A-Z]\d+):/.exec(name)?.[1];
    return row !== undefined && !known.has(row);
  });
}
