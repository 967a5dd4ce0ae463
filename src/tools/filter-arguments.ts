/** The arguments that narrow a question down and page through its answer. */
import { z } from "zod";
import {
  CURSOR_CHARS_MAX,
  PAGE_LIMIT_MAX,
  SHORT_STRING_BYTES_MAX,
  TAG_COUNT_MAX,
} from "../record/limits.ts";
import { isoTimeSchema, ROLES, TIERS } from "../record/memory-record.ts";

const name = () => z.string().max(SHORT_STRING_BYTES_MAX);

export const filterArguments = {
  project: name()
    .optional()
    .describe('Default: the current project and records without one. "*": all projects'),
  session_id: name().optional(),
  role: z.enum(ROLES).optional(),
  tier: z.enum(TIERS).optional(),
  source: name().optional(),
  tags: z.array(name()).max(TAG_COUNT_MAX).optional().describe("All of these"),
  since: isoTimeSchema.optional().describe("ISO 8601, inclusive"),
  until: isoTimeSchema.optional().describe("ISO 8601, inclusive"),
};

export function pageArguments(limitDefault: number) {
  return {
    limit: z.int().min(1).max(PAGE_LIMIT_MAX).optional().meta({ default: limitDefault }),
    cursor: z.string().max(CURSOR_CHARS_MAX).optional().describe("next_cursor of the last page"),
  };
}
