/**
 * Which file imports what: read from the syntax tree, so that comments and strings can not fool it.
 * Static imports, re-exports, `import()` expressions and `import("x").Type` types all count. An
 * import is of types only when every name it brings is one. Computed `import(variable)` is reported
 * as such, because no one could check it.
 */
import { posix } from "node:path";
import ts from "typescript";
import type { FileSet } from "./source-tree.ts";

export interface ImportEdge {
  readonly from: string;
  /** As written. */
  readonly specifier: string;
  /** Path from the root for a relative specifier; undefined for a package or Node's own module. */
  readonly target: string | undefined;
  readonly typesOnly: boolean;
  readonly line: number;
}

/** The specifier of an `import()` whose argument is not a literal. */
export const COMPUTED = "(computed)";

export function importEdges(files: FileSet): ImportEdge[] {
  return [...files].flatMap(([path, text]) => edgesOf(path, text));
}

function edgesOf(path: string, text: string): ImportEdge[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const edges: ImportEdge[] = [];
  const add = (node: ts.Node, specifier: string, typesOnly: boolean): void => {
    edges.push({
      from: path,
      specifier,
      target: specifier.startsWith(".")
        ? posix.normalize(posix.join(posix.dirname(path), specifier))
        : undefined,
      typesOnly,
      line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1,
    });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      add(node, node.moduleSpecifier.text, bringsTypesOnly(node.importClause));
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      const { exportClause, isTypeOnly } = node;
      const named = exportClause !== undefined && ts.isNamedExports(exportClause);
      const allTypes = named && allTypeOnly(exportClause.elements);
      add(node, (node.moduleSpecifier as ts.StringLiteral).text, isTypeOnly || allTypes);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const argument = node.arguments[0];
      const literal = argument !== undefined && ts.isStringLiteralLike(argument);
      add(node, literal ? argument.text : COMPUTED, false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, (node.argument.literal as ts.StringLiteral).text, true);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return edges;
}

function bringsTypesOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.isTypeOnly) return true;
  const { name, namedBindings } = clause;
  if (name !== undefined || namedBindings === undefined) return false;
  return ts.isNamedImports(namedBindings) && allTypeOnly(namedBindings.elements);
}

function allTypeOnly(elements: readonly { readonly isTypeOnly: boolean }[]): boolean {
  return elements.length > 0 && elements.every((element) => element.isTypeOnly);
}

/** Every import cycle once, as the paths along it; empty when there is none. */
export function findCycles(edges: readonly ImportEdge[]): string[][] {
  const targets = new Map<string, Set<string>>();
  for (const { from, target } of edges) {
    if (target === undefined) continue;
    targets.set(from, (targets.get(from) ?? new Set()).add(target));
  }
  const cycles: string[][] = [];
  const finished = new Set<string>();
  const trail: string[] = [];
  const walk = (path: string): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      cycles.push([...trail.slice(at), path]);
      return;
    }
    if (finished.has(path)) return;
    trail.push(path);
    for (const next of targets.get(path) ?? []) walk(next);
    trail.pop();
    finished.add(path);
  };
  for (const path of targets.keys()) walk(path);
  return cycles;
}
