/**
 * Reads config.json of the data directory and resolves it with arguments and environment.
 *
 * Guarantees: where the settings say so and name no project, it is that of the git repository around
 * the working directory. A missing file or directory is no error and nothing is created; a symlink, a special
 * file and an oversized one are refused; nothing is read at import.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { MemspoolError } from "../errors.ts";
import { gitProject } from "../platform/git-project.ts";
import { dataPaths } from "./data-paths.ts";
import {
  type ConfigInputs,
  type ResolvedConfig,
  resolveConfig,
  resolveHome,
} from "./resolve-config.ts";
import { workingDirectory } from "./working-directory.ts";

const CONFIG_BYTES_MAX = 1_048_576;

/**
 * @throws MemspoolError CONFIG_INVALID for a bad setting or an unreadable file; UNSAFE_PATH if
 *   config.json is a symlink, which could lead out of the data directory
 */
export async function loadConfig(inputs: Omit<ConfigInputs, "file">): Promise<ResolvedConfig> {
  const { configFile } = dataPaths(resolveHome(inputs));
  const text = await readIfThere(configFile);
  const file = text === undefined ? undefined : parse(text);
  return withGitProject(resolveConfig({ ...inputs, file }), inputs.cwd ?? workingDirectory());
}

function withGitProject(resolved: ResolvedConfig, cwd: string): ResolvedConfig {
  const { config } = resolved;
  if (config["project.detect"] !== "git" || config.project !== "") return resolved;
  const project = gitProject(cwd);
  return Object.freeze({ ...resolved, config: Object.freeze({ ...config, project }) });
}

async function readIfThere(path: string): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: a FIFO must not block the start.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ENOENT, ENOTDIR: no file or no data directory yet, so nothing is set in it.
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "ELOOP") {
      throw new MemspoolError(
        "UNSAFE_PATH",
        `${path} is a symlink, which memspool does not follow. Put the file itself there.`,
        { details: { file: "config.json" }, cause: error },
      );
    }
    throw unreadable(`can not be opened (${code})`, error);
  }
  try {
    const facts = await handle.stat();
    if (!facts.isFile()) throw unreadable("is not a regular file");
    if (facts.size > CONFIG_BYTES_MAX) {
      throw unreadable(`is ${facts.size} bytes, the limit is ${CONFIG_BYTES_MAX}`);
    }
    return await handle.readFile("utf8");
  } catch (error) {
    if (error instanceof MemspoolError) throw error;
    throw unreadable(`can not be read (${(error as NodeJS.ErrnoException).code})`, error);
  } finally {
    await handle.close();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message would repeat what the file holds.
    throw unreadable("is not JSON", error);
  }
}

function unreadable(why: string, cause?: unknown): MemspoolError {
  return new MemspoolError(
    "CONFIG_INVALID",
    `config.json in the data directory ${why}. Correct or remove it.`,
    { details: { setting: "", source: "file", value: "", expects: "a JSON object" }, cause },
  );
}
