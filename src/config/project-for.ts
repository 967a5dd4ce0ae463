/**
 * The project that words said in a directory belong to: one rule for hooks, which hear them, and for
 * imports, which read them later, so that both make the same record.
 *
 * Guarantees: a project that was given stands over every repository. What only the surroundings of
 * this process would say (`project.detect` = `git`) counts for nothing here: the words were said
 * elsewhere. A directory that is gone has the repository of the nearest one above it that is there.
 */
import { isAbsolute } from "node:path";
import { gitProject } from "../platform/git-project.ts";
import type { ResolvedConfig } from "./resolve-config.ts";

/**
 * @param cwd absolute path; a relative one, of another system for example, says nothing
 * @returns "" for none
 */
export function projectFor(
  { config, sources }: Pick<ResolvedConfig, "config" | "sources">,
  cwd: string | undefined,
): string {
  const given = sources.project === "default" ? "" : config.project;
  if (given !== "" || config["project.detect"] === "off") return given;
  return cwd === undefined || !isAbsolute(cwd) ? "" : gitProject(cwd);
}
