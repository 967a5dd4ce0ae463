/** Every requirement that the project claims, and that a test must show, has a test of that name. */
import { expect, it } from "vitest";
import { requirementRows, rowsWithoutTest, testNames, unknownRows } from "./requirement-rows.ts";
import { readText, readTree } from "./source-tree.ts";

const document = readText("docs/REQUIREMENTS.md");
const rows = requirementRows(document);
// The contract's suites run from other files; the tidy tests themselves only hold made-up rows.
const names = [...readTree("test", ".ts")]
  .filter(([path]) => /\.test\.ts$|^test\/contract\//.test(path))
  .filter(([path]) => !path.startsWith("test/tidy/"))
  .flatMap(([path, text]) => testNames(path, text));

it("every row of the document is read, once, in the order of its section", () => {
  const ids = rows.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const opened = [...document.matchAll(/^\*\*([A-Z]\d+)/gm)].map(([, id]) => id);
  expect(ids).toEqual(opened);
  const sections = [...new Set(ids.map((id) => id.slice(0, 1)))];
  expect(sections.join("")).toBe("QISTRPLHFVCX");
  const counted = sections.flatMap((section) =>
    ids.filter((id) => id.startsWith(section)).map((_, index) => `${section}${index + 1}`),
  );
  expect(ids).toEqual(counted);
});

it("every claimed row that needs a test has one", () => {
  expect(rowsWithoutTest(rows, names)).toEqual([]);
});

it("no test claims a row that does not exist", () => {
  expect(unknownRows(rows, names)).toEqual([]);
});

it("sees a claimed row without a test, and a test without a row", () => {
  const made = requirementRows(
    "**Q1 [c], claimed.** a\n\n**Q2 [c], claimed in part (b).** c\n\n" +
      "**Q3, claimed.** d\n\n**Q4 [c], planned.** e\n",
  );
  expect(made.map(({ id }) => id)).toEqual(["Q1", "Q2", "Q3", "Q4"]);
  expect(rowsWithoutTest(made, ["Q1: works", "about Q2: no", "Q2 no"])).toEqual(["Q2"]);
  expect(unknownRows(made, ["Q1: works", "Q9: nothing", "plain"])).toEqual(["Q9: nothing"]);
});

it("reads the names of plain, tabled and conditional tests, not of what looks like one", () => {
  const text = [
    'it("Q1: a", f);',
    'test.each([1])("Q2: b %s", f);',
    "it.skipIf(!root)(`Q3: c §{1}`, f);".replace("§", "$"),
    'describe("Q4: d", f);',
    '// it("Q5: e", f);',
    "const s = 'it(\"Q6: f\", f)';",
  ].join("\n");
  expect(testNames("a.test.ts", text)).toEqual(["Q1: a", "Q2: b %s", "Q3: c "]);
});
