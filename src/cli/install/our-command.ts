/**
 * The command lines that start memspool: written for the shell that will read them, and recognised
 * again by what they start, whatever path it had then.
 */
import type { Launch } from "./client.ts";

/** Words of a command that a client starts without a shell. */
export function serverWords(launch: Launch, former: readonly string[] = []): string[] {
  return [launch.node, launch.script, "serve", ...mergedOptions(former, "serve", launch.options)];
}

/** Words of a hook's command, which a shell reads. */
export function hookWords(
  launch: Launch,
  client: string,
  former: readonly string[] = [],
): string[] {
  const options = mergedOptions(former, client, launch.options);
  return [launch.node, launch.script, "hook", client, ...options];
}

/** What somebody gave to the former entry stays, unless it is given anew. */
function mergedOptions(
  former: readonly string[],
  subcommand: string,
  given: readonly string[],
): string[] {
  const kept: string[] = [];
  const anew = new Set(given.filter((word) => word.startsWith("--")));
  const old = former.slice(former.indexOf(subcommand) + 1);
  for (let at = 0; former.includes(subcommand) && at < old.length; at++) {
    const word = old[at] as string;
    if (anew.has(word)) at++;
    else if (!anew.has(word.split("=", 1)[0] as string)) kept.push(word);
  }
  return [...kept, ...given];
}

/** Whether these words start memspool's subcommand, from whatever place. */
export function startsMemspool(words: readonly string[], subcommand: readonly string[]): boolean {
  const [program = "", ...rest] = words;
  const name = (program.split(/[\\/]/).at(-1) ?? "").replace(/\.(?:exe|cmd|ps1)$/i, "");
  const follows = (from: number) => subcommand.every((word, at) => rest[from + at] === word);
  if (name === "memspool") return follows(0);
  if (/^node(?:js)?\d*$/i.test(name)) {
    return /[\\/]dist[\\/]main\.js$/.test(rest[0] ?? "") && follows(1);
  }
  if (name !== "npx") return false;
  const at = rest.findIndex((word) => !word.startsWith("-"));
  return /^memspool(?:@.*)?$/.test(rest[at] ?? "") && follows(at + 1);
}

/**
 * The words as one line for the shell of a hook.
 * @param shell `posix`: sh or bash, also Git Bash on Windows; `windows`: what reads it may be cmd.exe
 * or PowerShell, so the line is one that both take the same way
 */
export function shellLine(words: readonly string[], shell: "posix" | "windows"): string {
  if (shell === "posix") return words.map(quotePosix).join(" ");
  // PowerShell takes a leading quoted word for a value; cmd.exe strips outer quotes unless the
  // first word has none.
  return `cmd /d /c call ${words.map(quoteWindows).join(" ")}`;
}

function quotePosix(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word) && !/[\\/]/.test(word)) return word;
  // Single quotes keep everything; double ones are what people expect to see around a path.
  return /["$`\\!\n]/.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : `"${word}"`;
}

function quoteWindows(word: string): string {
  return /^[\w@+=:,.-]+$/.test(word) ? word : `"${word}"`;
}

/**
 * The words of a hook's line; undefined for a line that does more than start one program, which we
 * never wrote.
 */
export function wordsOf(line: string): string[] | undefined {
  const words: string[] = [];
  let rest = line.trim().replace(/^cmd(?:\.exe)?(?: \/\w)+ (?:call )?/i, "");
  while (rest !== "") {
    let word = "";
    while (rest !== "" && !/^\s/.test(rest)) {
      const piece =
        /^'([^']*)'/.exec(rest) ??
        /^"((?:[^"\\]|\\[\s\S])*)"/.exec(rest) ??
        /^\\(['"$`! ])/.exec(rest) ??
        /^([^\s'";|&<>$`()])/.exec(rest);
      if (piece === null) return undefined;
      const quoted = piece[0].startsWith('"');
      word += quoted ? (piece[1] as string).replace(/\\(["$`\\])/g, "$1") : piece[1];
      rest = rest.slice(piece[0].length);
    }
    words.push(word);
    rest = rest.trimStart();
  }
  return words;
}
