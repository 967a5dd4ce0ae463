/**
 * The directories below which clients keep their files, from the environment that was handed in.
 * Pure: nothing here touches the disk or asks the real process.
 */
import { posix, win32 } from "node:path";
import type { Environment } from "../../config/resolve-config.ts";
import { MemspoolError } from "../../errors.ts";

export interface Places {
  readonly platform: NodeJS.Platform;
  /** Where project files go: the directory in which the command was called. */
  readonly project: string;
  /** Joins by the platform's rules. */
  readonly join: (...parts: string[]) => string;
  /** A variable, or undefined if it is empty; Windows does not mind upper and lower case. */
  readonly variable: (name: string) => string | undefined;
  /** The user's directory. Throws INVALID_ARGUMENT if the environment does not name one. */
  readonly home: () => string;
  /** `%APPDATA%`, `~/Library/Application Support`, or `$XDG_CONFIG_HOME`. */
  readonly applicationData: () => string;
}

/** @param project absolute path */
export function placesOf(env: Environment, platform: NodeJS.Platform, project: string): Places {
  const path = platform === "win32" ? win32 : posix;
  const variable = (name: string): string | undefined => {
    const found =
      platform === "win32"
        ? Object.keys(env).find((key) => key.toUpperCase() === name.toUpperCase())
        : name;
    return (found !== undefined && env[found]) || undefined;
  };
  const home = (): string => {
    const name = platform === "win32" ? "USERPROFILE" : "HOME";
    const value = variable(name);
    if (value !== undefined && path.isAbsolute(value)) return value;
    throw new MemspoolError(
      "INVALID_ARGUMENT",
      `${name} does not name a directory, so the client's file can not be found. ` +
        "Set it, or name the file with --file.",
    );
  };
  const applicationData = (): string => {
    if (platform === "win32") {
      return variable("APPDATA") ?? path.join(home(), "AppData", "Roaming");
    }
    if (platform === "darwin") return path.join(home(), "Library", "Application Support");
    const xdg = variable("XDG_CONFIG_HOME");
    // The XDG rules: a relative one is as good as none.
    return xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(home(), ".config");
  };
  return { platform, project, join: path.join, variable, home, applicationData };
}
