/**
 * Reads the event catalogue's types from its source, since types are gone at run time, and the same
 * from docs/EVENTS.md: `### name · severity`, then a table whose first two columns are field and
 * type. Both come out as one line an event, so that a difference reads well.
 */
import ts from "typescript";

/** `name: field type, field type`, fields in their order. */
export function cataloguedEvents(path: string, text: string): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  for (const statement of source.statements) {
    if (!ts.isInterfaceDeclaration(statement) || statement.name.text !== "EventFields") continue;
    for (const event of statement.members) {
      if (!ts.isPropertySignature(event) || event.type === undefined) continue;
      if (!ts.isTypeLiteralNode(event.type)) continue;
      const fields = event.type.members.filter(ts.isPropertySignature).map((field) => {
        const type = field.type?.getText(source).replace(/\s+/g, " ") ?? "";
        return `${field.name.getText(source)} ${type}`;
      });
      found.push(`${event.name.getText(source)}: ${fields.join(", ")}`);
    }
  }
  return found;
}

export interface DocumentedEvent {
  readonly name: string;
  readonly severity: string;
  /** In the form of {@link cataloguedEvents}. */
  readonly line: string;
}

export function documentedEvents(markdown: string): DocumentedEvent[] {
  return markdown
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const [name = "", severity = ""] = (section.split("\n", 1)[0] ?? "").split(" · ");
      const rows = [...section.matchAll(/^\| `(\w+)` \| (.+?) \|/gm)];
      const fields = rows.map(
        ([, field, type]) => `${field} ${(type ?? "").replaceAll("`", "").replaceAll("\\|", "|")}`,
      );
      return { name, severity, line: `${name}: ${fields.join(", ")}` };
    });
}
