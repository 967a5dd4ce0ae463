/**
 * The doctor's checks in a process of their own, so that the command ends whatever hangs: a thread or a
 * call of the file system that does not come back keeps its process from ending, however it is asked.
 *
 * Guarantees: resolves within SUPERVISED_MS_MAX; touches no file of the data directory itself. The
 * process is killed afterwards; one that not even that can end is left behind and ends when the call
 * that it is in does.
 */
import { spawn } from "node:child_process";
import type { HealthReport } from "../memory/memory.ts";
import type { CommandContext } from "./command-context.ts";

/** From the start of the process to the report; checks and what comes before take 10 s at most. */
export const SUPERVISED_MS_MAX = 13_000;
/** Of a report; a finding is a line. */
const REPORT_BYTES_MAX = 1_048_576;

export type Supervised =
  | { readonly report: HealthReport }
  /** `ended`: it could not be run; `silent`: no report came in time. */
  | { readonly report?: undefined; readonly why: "ended" | "silent" };

/** @param option makes the process run the checks itself */
export function superviseDoctor(
  { entry, flags, env, signal }: Pick<CommandContext, "entry" | "flags" | "env" | "signal">,
  option: string,
): Promise<Supervised> {
  const settings = Object.entries(flags).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  const child = spawn(process.execPath, [entry, "doctor", option, "--json", ...settings], {
    env: { ...env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  return new Promise((resolve, reject) => {
    let text = "";
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      child.kill("SIGKILL");
      child.stdout.destroy();
      child.unref();
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    const timer = setTimeout(() => finish(() => resolve({ why: "silent" })), SUPERVISED_MS_MAX);
    const look = () => {
      // One line: it is whole when its end is there, long before the process has ended.
      const report = text.endsWith("\n") ? reportIn(text) : undefined;
      if (report !== undefined) finish(() => resolve({ report }));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk: string) => {
      if (text.length < REPORT_BYTES_MAX) text += chunk;
      look();
    });
    child.once("error", () => finish(() => resolve({ why: "ended" })));
    child.once("close", () => finish(() => resolve({ why: "ended" })));
  });
}

function reportIn(text: string): HealthReport | undefined {
  try {
    const given: unknown = JSON.parse(text);
    const isReport = typeof given === "object" && given !== null && "checks" in given;
    return isReport ? (given as HealthReport) : undefined;
  } catch {
    return undefined; // SyntaxError: not the whole of it
  }
}
