/**
 * Finds what a Markdown file points at: links inside the project, headings they name, and code
 * spans that look like a path of ours. Fenced blocks are left out: they hold examples.
 */
import { posix } from "node:path";

const OUR_PATH =
  /^(?:src|test|docs|bench|scripts|examples|\.ci|\.github)\/[\w./-]*[\w-]$|^[\w.-]+\.(?:md|json)$/;

export interface Pointer {
  readonly from: string;
  /** Path from the root. */
  readonly path: string;
  /** Without `#`; empty for the file itself. */
  readonly anchor: string;
}

export function withoutFences(markdown: string): string {
  return markdown.replace(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^\1\2[ \t]*$/gm, "");
}

/** Relative links and images. Links with a scheme are not ours to check. */
export function linksOf(from: string, markdown: string): Pointer[] {
  const prose = withoutFences(markdown).replace(/`[^`\n]*`/g, "");
  const targets = [
    ...[...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)].map(([, to]) => to),
    ...[...prose.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)].map(([, to]) => to),
  ] as string[];
  return targets
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .map((target) => {
      const [path = "", anchor = ""] = target.split("#", 2);
      const resolved = path === "" ? from : posix.join(posix.dirname(from), path);
      return { from, path: resolved.replace(/\/$/, ""), anchor };
    });
}

/** Code spans such as `src/errors.ts` or `test/contract/`, as paths from the root. */
export function pathSpans(from: string, markdown: string): Pointer[] {
  const spans = [...withoutFences(markdown).matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? "");
  return spans
    .map((span) => span.replace(/\/$/, "").replace(/:\d+$/, ""))
    .filter((span) => OUR_PATH.test(span) && !NOT_OURS.has(span))
    .map((path) => ({ from, path, anchor: "" }));
}

/** Files of a data directory or of other programs that documents speak about. */
const NOT_OURS = new Set(["config.json", "settings.json", "mcp.json", ".mcp.json"]);

/** Anchors of a document's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of withoutFences(markdown).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\s-]/gu, "")
      .replace(/\s/g, "-");
    let anchor = slug;
    for (let copy = 1; anchors.has(anchor); copy++) anchor = `${slug}-${copy}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Documented things against real ones: what is missing on either side. */
export function differences(
  real: readonly string[],
  documented: readonly string[],
): { undocumented: string[]; gone: string[] } {
  return {
    undocumented: real.filter((name) => !documented.includes(name)),
    gone: documented.filter((name) => !real.includes(name)),
  };
}
