/** Whether the settings are right, and where those that were set come from. Pure. */
import type { HealthCheck } from "../memory/memory.ts";
import { degraded, failing, ok } from "./check-result.ts";

export interface ConfigurationFacts {
  /** Setting → where it was set; defaults left out. */
  readonly set: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
  /** Why it could not be resolved. */
  readonly error?: { readonly message: string } | undefined;
}

export function checkConfiguration(facts: ConfigurationFacts): HealthCheck {
  const name = "configuration";
  if (facts.error !== undefined) {
    return failing(name, facts.error.message, "No server starts until this setting is corrected.");
  }
  if (facts.warnings.length > 0) {
    return degraded(name, facts.warnings.join("; "), "Correct the name, or unset the variable.");
  }
  const set = Object.entries(facts.set).map(([setting, source]) => `${setting} (${source})`);
  return ok(name, set.length === 0 ? "all defaults" : `set: ${set.join(", ")}`);
}
