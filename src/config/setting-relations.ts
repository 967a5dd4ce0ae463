/** What settings must be to each other, beyond what each must be by itself. Pure. */
import { MemspoolError } from "../errors.ts";
import type { Config, SettingName } from "./settings.ts";

/** Each is at most the next, in percent of one thing. */
const RISING: readonly (readonly SettingName[])[] = [
  ["spool.softPct", "spool.hardPct"],
  ["memory.reliefPct", "memory.throttlePct", "memory.shedPct", "memory.criticalPct"],
];

/** @throws MemspoolError CONFIG_INVALID with `details` {setting, source, value, expects} */
export function checkRelations(config: Readonly<Partial<Record<SettingName, unknown>>>): void {
  for (const names of RISING) {
    names.slice(1).forEach((upper, index) => {
      const lower = names[index] as SettingName;
      if (percent(config, lower) <= percent(config, upper)) return;
      const expects = `at most ${upper}, which is ${percent(config, upper)}`;
      throw new MemspoolError(
        "CONFIG_INVALID",
        `${lower} is ${percent(config, lower)}, but must be ${expects}. Change one of them.`,
        {
          details: {
            setting: lower,
            source: "settings together",
            value: String(percent(config, lower)),
            expects,
          },
        },
      );
    });
  }
}

function percent(
  config: Readonly<Partial<Record<SettingName, unknown>>>,
  name: SettingName,
): Config["spool.softPct"] {
  return config[name] as Config["spool.softPct"];
}
