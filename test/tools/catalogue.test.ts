import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { INSTRUCTIONS } from "../../src/server/instructions.ts";
import { advertiseInput, advertiseOutput } from "../../src/tools/advertise.ts";
import { TOOLS } from "../../src/tools/catalogue.ts";

/** Four characters a token, so that the whole stays under 4,000 tokens with a margin. */
const CATALOGUE_CHARS_MAX = 15_500;

function listed(): object[] {
  return TOOLS.map((tool) => ({
    name: tool.name,
    description: tool.description,
    inputSchema: advertiseInput(tool.inputSchema),
    outputSchema: advertiseOutput(tool.outputSchema),
    annotations: tool.annotations,
  }));
}

describe("the catalogue of tools", () => {
  it("T12: names these tools and no others, in this order", () => {
    expect(TOOLS.map((tool) => tool.name)).toEqual([
      "memory_capture",
      "memory_capture_batch",
      "memory_search",
      "memory_get",
      "memory_recent",
      "memory_receipt",
      "memory_forget",
      "queue_status",
      "queue_flush",
      "queue_retry",
    ]);
    expect(Object.isFrozen(TOOLS)).toBe(true);
    expect(TOOLS.every((tool) => Object.isFrozen(tool))).toBe(true);
  });

  it("T12: costs a model fewer than 4,000 tokens", () => {
    expect(JSON.stringify(listed()).length).toBeLessThan(CATALOGUE_CHARS_MAX);
  });

  it("T12: instructions are under 2 KB and name the tools they speak of", () => {
    expect(Buffer.byteLength(INSTRUCTIONS)).toBeLessThan(2_048);
    const named = INSTRUCTIONS.match(/\b(?:memory|queue)_[a-z_]+/g) ?? [];
    expect(new Set(named).size).toBeGreaterThan(4);
    for (const name of named) expect(TOOLS.map((tool) => tool.name)).toContain(name);
  });

  it("T12: no tool knows the SDK or the server", () => {
    const files = readdirSync("src/tools").map((file) => `src/tools/${file}`);
    expect(files.length).toBeGreaterThan(TOOLS.length);
    for (const file of files) {
      const text = readFileSync(file, "utf8");
      expect(text, file).not.toMatch(/from "@modelcontextprotocol/);
      expect(text, file).not.toMatch(/from "\.\.\/(?:server|ingest|store|queue)\//);
    }
  });

  it("T11: every tool is annotated, refuses unknown arguments and shows an example", () => {
    for (const tool of TOOLS) {
      const { title, ...hints } = tool.annotations;
      expect(title, tool.name).not.toBe("");
      expect(Object.values(hints), tool.name).toHaveLength(4);
      const isDestructive = tool.name === "memory_forget";
      expect(tool.annotations.destructiveHint, tool.name).toBe(isDestructive);
      expect(advertiseInput(tool.inputSchema).additionalProperties, tool.name).toBe(false);
      expect(tool.inputSchema.safeParse({ not_there: 1 }).success, tool.name).toBe(false);
      expect(tool.description, tool.name).toMatch(/Example: \{|\{\}/);
    }
  });

  it("T11: every example in a description is accepted by the tool's own schema", () => {
    let examples = 0;
    for (const tool of TOOLS) {
      for (const [example] of tool.description.matchAll(/^Example: .*$/gm)) {
        for (const json of example.slice("Example: ".length).split(" or ")) {
          expect(tool.inputSchema.safeParse(JSON.parse(json)).error, json).toBeUndefined();
          examples += 1;
        }
      }
    }
    expect(examples).toBeGreaterThanOrEqual(TOOLS.length - 1);
  });

  it("T1: advertises what an absent field means without putting it into the record", () => {
    const capture = TOOLS[0];
    expect(capture?.inputSchema.parse({ surface: "a" })).toEqual({ surface: "a" });
    const { properties, required } = advertiseInput(capture?.inputSchema as never);
    expect(properties.tier).toMatchObject({ default: "episodic" });
    expect(required).toEqual(["surface"]);
  });

  it("T2: advertises the fields of a batch's records", () => {
    const batch = TOOLS[1];
    const { properties } = advertiseInput(batch?.inputSchema as never);
    expect(properties.records).toMatchObject({
      type: "array",
      maxItems: 100,
      items: { required: ["surface"], additionalProperties: false },
    });
  });

  it("T11: no output schema demands a field, because a failed call answers {error}", () => {
    for (const tool of TOOLS) {
      const schema = advertiseOutput(tool.outputSchema);
      expect(schema.required, tool.name).toBeUndefined();
      expect(schema.properties.error, tool.name).toEqual({ type: "object" });
    }
  });
});
