// Runs the crash rigs in their long form and writes what they found between the markers of
// docs/DURABILITY.md. Nothing is written when a rig fails, finds damage, or misses a broken variant.
//   --short          runs the short forms, which belong to npm test, instead of the long ones
//   --rows FILE      takes these rows instead of running anything
//   --document FILE  writes there instead
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const BEGIN = "<!-- crash table: begin, written by npm run test:crash -->";
const END = "<!-- crash table: end -->";

const RIGS = [
  "test/crash",
  "test/model",
  "test/pressure/adversaries",
  "test/store/replace-database.test.ts",
  "test/memory/rebuild/rebuild-crash.test.ts",
];

const form = process.argv.includes("--short") ? "short" : "long";

function argument(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

function runRigs() {
  const directory = mkdtempSync(join(tmpdir(), "memspool-crash-"));
  const table = join(directory, "rows.ndjson");
  writeFileSync(table, "");
  try {
    const { status } = spawnSync(
      process.execPath,
      ["node_modules/vitest/vitest.mjs", "run", ...RIGS],
      {
        cwd: root,
        stdio: "inherit",
        env: { ...process.env, MEMSPOOL_CRASH_FORM: form, MEMSPOOL_CRASH_TABLE: table },
      },
    );
    const rows = readFileSync(table, "utf8");
    if (status === 0) return rows;
    console.error("crash report: a rig failed; the document stays as it is. Found so far:");
    console.error(tables(sumUp(rows)));
    process.exit(1);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** One row for each rig, operation and fault, in the order in which they came. */
function sumUp(text) {
  const sums = new Map();
  for (const line of text.split("\n").filter(Boolean)) {
    const row = JSON.parse(line);
    const key = JSON.stringify([row.rig, row.operation, row.fault, "caught" in row]);
    const sum = sums.get(key);
    if (!sum) sums.set(key, row);
    else {
      for (const count of ["tried", "lost", "altered", "twice"]) sum[count] += row[count];
      if ("caught" in row) sum.caught &&= row.caught;
    }
  }
  return [...sums.values()].sort((one, other) => one.rig.localeCompare(other.rig));
}

const isControl = (row) => "caught" in row;

function tables(rows) {
  const number = (count) => count.toLocaleString("en-US");
  const found = rows
    .filter((row) => !isControl(row))
    .map(({ rig, operation, fault, tried, lost, altered, twice }) =>
      [rig, operation, fault, number(tried), lost, altered, twice].join(" | "),
    );
  const controls = rows
    .filter(isControl)
    .map(({ rig, operation, fault, tried, caught }) =>
      [rig, operation, fault, number(tried), caught ? "yes" : "**no**"].join(" | "),
    );
  const table = (head, aligned, lines) =>
    [`| ${head} |`, `|${aligned}|`, ...lines.map((line) => `| ${line} |`)].join("\n");
  return [
    table(
      "rig | operation | fault | states tried | lost | altered | twice",
      "---|---|---|---:|---:|---:|---:",
      found,
    ),
    "Negative controls, variants that are broken on purpose:",
    table(
      "rig | operation | broken variant | states tried | caught",
      "---|---|---|---:|---",
      controls,
    ),
  ].join("\n\n");
}

/** Where it was measured. */
function circumstances() {
  const git = (...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const stat = spawnSync("stat", ["-f", "-c", "%T", tmpdir()], { encoding: "utf8" });
  const commit = `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "src") ? " with changes" : ""}`;
  return (
    `${new Date().toISOString().slice(0, 10)}, ${form} form, commit ${commit}, Node ${process.version}, ` +
    `${process.platform} ${release()}, ${stat.stdout.trim() || "unknown"} (tmpfs where named).`
  );
}

function bad(rows) {
  return rows.filter((row) =>
    isControl(row) ? !row.caught : row.lost + row.altered + row.twice > 0,
  );
}

const given = argument("--rows");
const rows = sumUp(given ? readFileSync(given, "utf8") : runRigs());
const document = argument("--document") ?? join(root, "docs/DURABILITY.md");
const text = readFileSync(document, "utf8");
const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
if (rows.length === 0 || from < 0 || to < from || bad(rows).length > 0) {
  console.error(rows.length === 0 ? "crash report: no rows" : tables(rows));
  if (from < 0 || to < from) console.error(`crash report: ${document} has no markers`);
  for (const row of bad(rows)) console.error(`crash report: ${JSON.stringify(row)}`);
  process.exit(1);
}
const section = `${BEGIN}\n\n${circumstances()}\n\n${tables(rows)}\n\n${END}`;
writeFileSync(document, text.slice(0, from) + section + text.slice(to + END.length));
console.log(`crash report: ${rows.length} rows written to ${document}`);
