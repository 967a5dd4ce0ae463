/** Random files, laid out at random: our part goes in and out, and nothing else moves. */
import fc from "fast-check";
import { getNodeValue, parseTree } from "jsonc-parser";
import { expect, it } from "vitest";
import type { EditRequest } from "../../../src/cli/install/client.ts";
import { codex } from "../../../src/cli/install/codex.ts";
import { jsonHooks } from "../../../src/cli/install/json-hooks.ts";
import { jsonServers } from "../../../src/cli/install/json-servers.ts";
import { placesOf } from "../../../src/cli/install/places.ts";
import { ENTRY, NODE } from "./scene.ts";

const request: EditRequest = {
  path: "file",
  launch: { node: NODE, script: ENTRY, name: "memspool", options: [], platform: "linux" },
  force: false,
};

const plain = (text: string) =>
  JSON.parse(
    JSON.stringify(getNodeValue(parseTree(text, [], { allowTrailingComma: true }) as never)),
  );

const json = fc.jsonValue({ maxDepth: 3 });
const key = fc.string({ unit: "grapheme" }).filter((name) => name !== "__proto__");
const blank = fc.constantFrom(
  "",
  " ",
  "\n",
  "\n  ",
  "\t",
  "\r\n\t",
  " /* c */ ",
  " // c\n",
  "\n\n",
);

/** An object's text with blanks and comments anywhere, and perhaps a trailing comma. */
function laidOut(members: readonly [string, string][], blanks: readonly string[], comma: boolean) {
  let at = 0;
  const next = () => blanks[at++ % blanks.length] as string;
  const inner = members.map(
    ([name, value]) => `${next()}${JSON.stringify(name)}${next()}:${next()}${value}${next()}`,
  );
  const trailing = comma && members.length > 0 ? `,${next()}` : next();
  return `{${inner.join(",")}${trailing}}`;
}

const members = fc.uniqueArray(fc.tuple(key, json), {
  selector: ([name]) => name,
  minLength: 1,
  maxLength: 4,
});

const printed = (list: readonly (readonly [string, unknown])[], indent: number) =>
  list.map(([name, value]) => [name, JSON.stringify(value, null, indent)] as [string, string]);

it("C2: servers go into any JSON with comments, and out of it again", () => {
  const edit = jsonServers({ key: "servers", dialect: "jsonc", typed: true });
  fc.assert(
    fc.property(
      members,
      members,
      fc.array(blank, { minLength: 1, maxLength: 12 }),
      fc.boolean(),
      fc.boolean(),
      fc.nat(4),
      (outer, servers, blanks, comma, inside, indent) => {
        const others = outer.filter(([name]) => name !== "servers");
        const map = laidOut(
          printed(
            servers.filter(([name]) => name !== "memspool"),
            indent,
          ),
          blanks,
          comma,
        );
        const all = printed(others, indent);
        if (inside) all.push(["servers", map]);
        const text = laidOut(all, blanks, comma);
        const before = plain(text);
        const installed = edit.install(text, request);
        const entry = { type: "stdio", command: NODE, args: [ENTRY, "serve"] };
        expect(plain(installed)).toEqual({
          ...before,
          servers: { ...before.servers, memspool: entry },
        });
        expect(edit.install(installed, request)).toBe(installed);
        expect(comments(installed)).toBe(comments(text));
        const out = edit.uninstall(installed, request);
        const { servers: _empty, ...rest } = before;
        const gone = inside && Object.keys(before.servers).length === 0;
        expect(plain(out)).toEqual(gone ? rest : before);
        if (!gone && all.length > 0) expect(withoutBlanks(out)).toBe(withoutBlanks(text));
      },
    ),
    { numRuns: 200 },
  );
});

it("C2: hooks go into any JSON, and out of it again, byte for byte", () => {
  const edit = jsonHooks({ client: "claude-code", shell: () => "posix" });
  const group = fc.record({
    hooks: fc.array(
      fc.record({ type: fc.constant("command"), command: fc.string({ maxLength: 6 }) }),
      { maxLength: 3 },
    ),
  });
  const event = fc.constantFrom("Stop", "SessionStart", "UserPromptSubmit", "PreToolUse", "other");
  fc.assert(
    fc.property(
      fc.dictionary(event, fc.array(group, { minLength: 1, maxLength: 3 }), {
        minKeys: 1,
        noNullPrototype: true,
      }),
      fc.nat(4),
      (hooks, indent) => {
        const text = JSON.stringify({ a: 1, hooks, z: [] }, null, indent);
        const installed = edit.install(text, request);
        expect(edit.look(installed, request)).toBe("current");
        expect(edit.install(installed, request)).toBe(installed);
        expect(edit.uninstall(installed, request)).toBe(text);
      },
    ),
    { numRuns: 100 },
  );
});

it("C2: a table goes into any TOML of lines, and out of it again", () => {
  const edit = codex.targets(placesOf({ HOME: "/h" }, "linux", "/p"), "user")[0]?.edit;
  const line = fc.constantFrom(
    "",
    "# note",
    "  # [mcp_servers.memspool]",
    "[mcp_servers.KEY]",
    "[mcp_servers.KEY.env]",
    "[[list.KEY]]",
    'KEY = "[mcp_servers.memspool]"',
    "KEY = [\n  1, # one\n  [2],\n]",
    'KEY = """\n[mcp_servers.memspool]\n"""',
    "KEY = '''\n[a]'''",
    "KEY.b = 1979-05-27",
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.boolean(), (lines, ended) => {
      // Every name is another one, so that any order of lines is a document.
      const text =
        lines.map((each, at) => each.replace("KEY", `k${at}`)).join("\n") + (ended ? "\n" : "");
      const installed = edit?.install(text, request) ?? "";
      expect(installed.startsWith(text)).toBe(true);
      expect(edit?.look(installed, request)).toBe("current");
      expect(edit?.uninstall(installed, request).trimEnd()).toBe(text.trimEnd());
    }),
    { numRuns: 200 },
  );
});

function comments(text: string): number {
  return (text.match(/\/\* c \*\/|\/\/ c/g) ?? []).length;
}

function withoutBlanks(text: string): string {
  return text.replace(/\s/g, "");
}
