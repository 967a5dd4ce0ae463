/**
 * The layers as a table, and the checker that holds source files to it. docs/ARCHITECTURE.md says
 * the same in prose. A room is a folder of src, or a file directly in it. What a row does not name
 * may not be imported; importing within a room is always allowed.
 */
import { COMPUTED, findCycles, type ImportEdge, importEdges } from "./import-graph.ts";
import type { FileSet } from "./source-tree.ts";

interface RoomRule {
  /** Rooms, or single files of one (`platform/clock`), whose values and types may be imported. */
  readonly values: readonly string[];
  /** Rooms of which only types may be imported. */
  readonly types?: readonly string[];
}

const GROUND = ["errors", "platform", "record", "text", "events"];
const PARTS = [
  ...GROUND,
  ...["config", "queue", "store", "pressure", "ingest", "memory", "health", "hooks"],
];
const BELOW_CLI = [...PARTS, "tools", "server"];

/** Every room may also import the types of config, and config's own row says what config may. */
export const ROOMS: Readonly<Record<string, RoomRule>> = {
  errors: { values: [] },
  platform: { values: ["errors"] },
  record: { values: ["errors", "platform/clock"] },
  text: { values: ["errors"] },
  events: { values: ["platform"], types: ["errors"] },
  config: { values: ["record", "errors", "platform/git-project"] },
  queue: { values: GROUND },
  store: { values: GROUND },
  pressure: { values: ["events", "platform", "errors", "queue/spool-usage"], types: ["queue"] },
  ingest: { values: [...GROUND, "queue", "store"] },
  memory: { values: [...GROUND, "queue", "store", "pressure"] },
  hooks: { values: [...GROUND, "config", "queue", "pressure", "memory"] },
  health: { values: ["platform/directory-fsync"], types: PARTS },
  tools: { values: ["record", "errors", "health"], types: ["memory"] },
  server: {
    values: [
      ...["tools", "health", "events", "errors", "record", "platform/clock", "platform/timing"],
    ],
    types: ["memory"],
  },
  workers: { values: BELOW_CLI },
  app: { values: BELOW_CLI },
  index: { values: [...GROUND, "queue"] },
  // The doctor judges even where the parts can not be built, so it holds the checks itself.
  cli: { values: ["app", "memory", "config", "errors", "record", "health", "hooks"] },
  main: { values: ["cli"] },
};

/** Packages that only some files may know. A rule ending in `/` is a folder. */
const PACKAGE_HOMES: Readonly<Record<string, readonly string[]>> = {
  "@modelcontextprotocol/sdk": ["src/server/", "src/cli/demo"],
  "@photostructure/sqlite": ["src/store/sqlite/"],
  "@secretlint/secretlint-rule-preset-recommend": ["src/memory/privacy/"],
};

/** The built program, as dist/main.js finds it beside itself. */
const BUILT_AS: Readonly<Record<string, string>> = { "src/program.mjs": "src/cli/program.ts" };

export interface Violation {
  readonly rule: "layer" | "types-only" | "package" | "unresolved" | "cycle" | "outside";
  readonly where: string;
  readonly what: string;
}

/**
 * @param files TypeScript sources, `src/…` → text
 * @param packages names that package.json lists as dependencies
 */
export function findViolations(files: FileSet, packages: readonly string[]): Violation[] {
  const edges = importEdges(files).map((edge) =>
    edge.target === undefined ? edge : { ...edge, target: BUILT_AS[edge.target] ?? edge.target },
  );
  const found = edges.flatMap((edge) => judge(edge, files, packages) ?? []);
  for (const cycle of findCycles(edges)) {
    found.push({ rule: "cycle", where: cycle[0] ?? "", what: cycle.join(" → ") });
  }
  return found;
}

function judge(
  edge: ImportEdge,
  files: FileSet,
  packages: readonly string[],
): Violation | undefined {
  const where = `${edge.from}:${edge.line}`;
  const report = (rule: Violation["rule"], what: string): Violation => ({ rule, where, what });
  if (edge.specifier === COMPUTED) return report("unresolved", "import() of a computed name");
  if (edge.target === undefined) {
    const problem = judgePackage(edge, packages);
    return problem === undefined ? undefined : report("package", problem);
  }
  if (!edge.target.startsWith("src/")) return report("outside", `imports ${edge.target}`);
  if (!files.has(edge.target)) return report("unresolved", `${edge.target} does not exist`);
  const from = roomOf(edge.from);
  const to = roomOf(edge.target);
  if (from === to) return undefined;
  const rule = ROOMS[from];
  if (rule === undefined) return report("layer", `${from} is not in the table of rooms`);
  const file = edge.target.replace(/^src\//, "").replace(/\.ts$/, "");
  if (rule.values.includes(to) || rule.values.includes(file)) return undefined;
  const typesAllowed = to === "config" || rule.types?.includes(to) === true;
  if (!typesAllowed) return report("layer", `${from} may not import ${to} (${edge.specifier})`);
  if (edge.typesOnly) return undefined;
  return report("types-only", `${from} may import only types of ${to} (${edge.specifier})`);
}

function judgePackage(edge: ImportEdge, packages: readonly string[]): string | undefined {
  if (edge.specifier.startsWith("node:")) return undefined;
  const scoped = edge.specifier.startsWith("@");
  const name = edge.specifier.split("/", scoped ? 2 : 1).join("/");
  if (!packages.includes(name)) return `${name} is not among the dependencies`;
  const homes = PACKAGE_HOMES[name];
  if (homes === undefined || homes.some((home) => edge.from.startsWith(home))) return undefined;
  return `${name} may only be imported in ${homes.join(", ")}`;
}

/** `src/queue/publish.ts` → `queue`, `src/app.ts` → `app`. */
export function roomOf(path: string): string {
  const [, first = ""] = path.split("/");
  return first.replace(/\.ts$/, "");
}
