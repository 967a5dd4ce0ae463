/** The options of `search`, `recent` and `export` that say which records are meant. */
import { type Command, Option } from "commander";
import type { FilterInput } from "../memory/memory.ts";
import { ROLES, TIERS } from "../record/memory-record.ts";
import type { GlobalOptions } from "./command-context.ts";
import { collect } from "./option-values.ts";

export interface FilterOptions extends GlobalOptions {
  readonly allProjects?: boolean;
  readonly session?: string;
  readonly role?: string;
  readonly tier?: string;
  readonly source?: string;
  readonly tag?: readonly string[];
  readonly since?: string;
  readonly until?: string;
}

const EVERY_PROJECT = "*";

export function addFilterOptions(command: Command): Command {
  return command
    .option(
      "--all-projects",
      "look everywhere, not only in the current project (also --project '*')",
    )
    .option("--session <id>", "of this session")
    .addOption(new Option("--role <role>", "of this role").choices(ROLES))
    .addOption(new Option("--tier <tier>", "of this tier").choices(TIERS))
    .option("--source <name>", "from this source")
    .option("--tag <tag>", "with this tag; repeat for all of several", collect)
    .option("--since <time>", "at or after this ISO 8601 time")
    .option("--until <time>", "at or before this ISO 8601 time");
}

export function filterFrom(options: FilterOptions): FilterInput {
  const everywhere = options.allProjects === true || options.project === EVERY_PROJECT;
  return {
    project: everywhere ? EVERY_PROJECT : undefined,
    session_id: options.session,
    role: options.role,
    tier: options.tier,
    source: options.source,
    tags: options.tag,
    since: options.since,
    until: options.until,
  };
}

/**
 * Where --project is a filter: of that project alone, while a current project's scope has the records
 * without one in it. A project of the settings is no filter.
 */
export function filterOfNamedProject(options: FilterOptions): FilterInput {
  const { project, allProjects } = options;
  const filter = filterFrom(options);
  return project === undefined || allProjects === true ? filter : { ...filter, project };
}

/** `*` is a scope of a question, never the name of the current project. */
export function withoutScope(options: GlobalOptions): GlobalOptions {
  if (options.project !== EVERY_PROJECT) return options;
  const { project: _scope, ...rest } = options;
  return rest;
}
