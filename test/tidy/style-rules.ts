/**
 * The habits of this code base that a linter does not know, as pure functions over one file's path
 * and text. Each returns what is wrong, in words; an empty list is a tidy file.
 */
import ts from "typescript";

const SOURCE_LINES_MAX = 300;
/** A list of cases reads well at a length at which logic does not. */
const TEST_LINES_MAX = 400;
const VAGUE_NAMES = /^(?:utils?|helpers?|common|misc|shared|stuff)$/;
const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** stdout carries the protocol: these write it, or hand the stream to what writes it. */
const STDOUT_FILES = [
  "src/main.ts",
  "src/app.ts",
  "src/cli/output.ts",
  "src/cli/program.ts",
  "src/server/stdio-transport.ts",
  "src/server/serve-stdio.ts",
];
const ARGV_FILES = ["src/main.ts"];

/** @param path from the root, such as `src/queue/publish.ts` */
export function sourceBreaches(path: string, text: string): string[] {
  const breaches = [...nameBreaches(path), ...lengthBreaches(text, SOURCE_LINES_MAX)];
  if (!/^\/\*\*\s/.test(text)) breaches.push("does not open with a doc comment");
  visitNodes(path, text, (node) => {
    const breach = sourceNodeBreach(path, node);
    if (breach !== undefined) breaches.push(breach);
  });
  return breaches;
}

function nameBreaches(path: string): string[] {
  return path
    .split("/")
    .slice(1)
    .map((part) => part.replace(/(?:\.test|\.d)?\.ts$/, ""))
    .flatMap((part) => {
      if (VAGUE_NAMES.test(part)) return [`"${part}" does not say what it is for`];
      return KEBAB.test(part) ? [] : [`"${part}" is not kebab-case`];
    });
}

function lengthBreaches(text: string, linesMax: number): string[] {
  const lines = text.trimEnd().split("\n").length;
  return lines > linesMax ? [`has ${lines} lines, the limit is ${linesMax}`] : [];
}

function sourceNodeBreach(path: string, node: ts.Node): string | undefined {
  if (ts.isExportAssignment(node)) return "has a default export";
  if (node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent)) {
    return "has a default export";
  }
  if (ts.isExportSpecifier(node) && node.name.text === "default") return "has a default export";
  if (ts.isStringLiteral(node) && /^(?:node:)?process$/.test(node.text)) {
    if (ts.isImportDeclaration(node.parent)) return "imports process; use the global";
  }
  if (!ts.isIdentifier(node) || isNameOfSomethingElse(node)) return undefined;
  if (node.text === "console") return "uses console";
  if (node.text !== "process") return undefined;
  const { parent } = node;
  if (!ts.isPropertyAccessExpression(parent)) {
    // Handing the whole object on, or taking it apart, would hide what is used of it.
    if (ts.isTypeQueryNode(parent) || STDOUT_FILES.includes(path)) return undefined;
    return "uses process other than as process.<name>";
  }
  if (parent.name.text === "stdout" && !STDOUT_FILES.includes(path)) return "uses process.stdout";
  if (parent.name.text === "argv" && !ARGV_FILES.includes(path)) return "uses process.argv";
  return undefined;
}

/** `x.process`, `{ process: 1 }` and declarations of that name are not the global. */
function isNameOfSomethingElse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  return "name" in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent);
}

/**
 * What keeps a test from running, or hides a failure. `skipIf` and `runIf` are for missing
 * privileges and programs, and are allowed only where the reason is printed: as the note of
 * `context.skip("…")`, or by a function named `need…` or `skipUnless…` that prints it.
 */
export function testBreaches(path: string, text: string): string[] {
  const breaches = [...nameBreaches(path), ...lengthBreaches(text, TEST_LINES_MAX)];
  const printsReasons = /\b(?:need|skipUnless|printSkip)\w*\(|stderr\.write\(/.test(text);
  visitNodes(path, text, (node) => {
    if (!ts.isPropertyAccessExpression(node)) return;
    const name = node.name.text;
    const owner = node.expression.getText();
    const ofSuite = /^(?:it|test|describe|bench|suite)\b/.test(owner);
    if (ofSuite && (name === "only" || name === "todo")) breaches.push(`uses ${owner}.${name}`);
    if (ofSuite && name === "fails") breaches.push(`uses ${owner}.fails`);
    if (ofSuite && (name === "skipIf" || name === "runIf") && !printsReasons) {
      breaches.push(`uses ${owner}.${name} without printing the reason`);
    }
    if (name !== "skip") return;
    const call = node.parent;
    const note = ts.isCallExpression(call) && !ofSuite ? call.arguments.at(-1) : undefined;
    if (ofSuite || note === undefined) breaches.push(`uses ${owner}.skip without a reason`);
  });
  return breaches;
}

function visitNodes(path: string, text: string, see: (node: ts.Node) => void): void {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    see(node);
    ts.forEachChild(node, visit);
  };
  visit(source);
}
