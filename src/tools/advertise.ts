/**
 * A zod schema as the JSON Schema that a client is shown, kept short because a model reads it.
 *
 * Left out: `$schema` (2020-12 is the protocol's default), `propertyNames` of string, bounds that
 * only say "a safe integer", and definitions behind a `$ref`, which some clients do not follow.
 */
import { z } from "zod";

export interface JsonObjectSchema {
  type: "object";
  properties: Record<string, object>;
  required?: string[];
  additionalProperties?: boolean;
  [keyword: string]: unknown;
}

/** What a caller may pass: unknown arguments are refused, and the schema says so. */
export function advertiseInput(schema: z.ZodObject): JsonObjectSchema {
  return { ...toJsonSchema(schema), additionalProperties: false };
}

/**
 * What comes back. Nothing is `required` here: a call that failed answers `{error}` instead, and
 * clients check that answer against the same schema.
 */
export function advertiseOutput(schema: z.ZodObject): JsonObjectSchema {
  const { required: _required, ...json } = toJsonSchema(schema);
  return { ...json, properties: { ...json.properties, error: { type: "object" } } };
}

function toJsonSchema(schema: z.ZodObject): JsonObjectSchema {
  const { $schema, $defs, ...json } = z.toJSONSchema(schema, {
    io: "input",
    reused: "inline",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      delete jsonSchema.propertyNames;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (zodSchema._zod.def.type === "record" || isEmptyObject(jsonSchema.additionalProperties)) {
        delete jsonSchema.additionalProperties;
      }
      if (isEmptyObject(jsonSchema.properties)) delete jsonSchema.properties;
    },
  }) as unknown as JsonObjectSchema;
  return { ...json, properties: json.properties ?? {} };
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
