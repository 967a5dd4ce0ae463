/** The completion scripts in real shells, asking the built program. */
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, type TestContext } from "vitest";
import { BUILT_ENTRY } from "../../support/built-program.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { run } from "../../support/run-program.ts";

/** Skips where the shell is missing, with the reason printed; missing in CI, it fails. */
function needShell(context: TestContext, shell: string): void {
  // The script(1) of other systems takes other options.
  const here = shell !== "script" || process.platform === "linux";
  if (here && spawnSync(shell, ["--version"]).error === undefined) return;
  const reason = here ? `${shell} is not installed` : "script(1) is another one here";
  if (process.env.CI === "true") throw new Error(reason);
  process.stderr.write(`skipped: ${context.task.name}: ${reason}\n`);
  context.skip(reason);
}

/** A directory with the script, and with `memspool` on the path, as its user would have it. */
async function prepare(shell: string) {
  const directory = freshDirectory();
  const bin = join(directory, "bin");
  mkdirSync(bin);
  symlinkSync(BUILT_ENTRY, join(bin, "memspool"));
  const script = join(directory, `completion.${shell}`);
  writeFileSync(script, (await run(["completion", shell], { home: directory })).stdout);
  for (const name of ["notes.txt", "novel.txt"]) writeFileSync(join(directory, name), "");
  mkdirSync(join(directory, "nova"));
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: directory,
    ZDOTDIR: directory,
    TERM: "dumb",
    MEMSPOOL_HOME: join(directory, "data"),
  };
  return { directory, script, env };
}

/** A bound, not a measure: a program is started for every tab, on a machine that may be busy. */
const INTERACTIVE_MS_MAX = 100_000;
const TEST_MS_MAX = 120_000;

const LINES = [
  ["memspool ins", ["install"]],
  ["memspool install cl", ["claude-code", "claude-desktop"]],
  ["memspool search --tier ", ["working", "episodic", "semantic", "procedural"]],
  ["memspool search --ti", ["--tier"]],
  ["memspool quarantine r", ["retry"]],
] as const;

it("C1: in bash, words and options are completed by the function that complete names", async (context) => {
  needShell(context, "bash");
  const { script, env } = await prepare("bash");
  // Bash itself takes these two apart at "=", and wants back what follows it.
  const split = [
    [["--set", "queue.over"], ["queue.overflow="]],
    [
      ["--set", "queue.overflow", "="],
      ["spill", "reject", "drop-oldest"],
    ],
    [["--set", "queue.overflow", "=", "dr"], ["drop-oldest"]],
    [["search", "--tier", "=", "ep"], ["episodic"]],
  ] as const;
  const cases = [
    ...LINES.map(([line, expected]) => [line.split(" ").slice(1), expected] as const),
    ...split,
  ];
  const calls = cases.map(([words]) => {
    const quoted = ["memspool", ...words].map((word) => `'${word}'`).join(" ");
    return `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _memspool; (IFS=,; echo "\${COMPREPLY[*]}")`;
  });
  const program = [`source '${script}'`, "complete -p memspool", ...calls].join("\n");
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", program], {
    env,
    encoding: "utf8",
  });
  // compopt works only while readline completes, and says so into the void.
  expect(stderr).toBe("");
  const [registered, ...answers] = stdout.trimEnd().split("\n");
  expect(registered).toBe("complete -F _memspool memspool");
  expect(answers.map((answer) => answer.split(","))).toEqual(
    cases.map(([, values]) => [...values]),
  );
});

it(
  "C1: in an interactive bash, the tab key completes words, settings and files",
  async (context) => {
    needShell(context, "bash");
    needShell(context, "script");
    const { directory, script, env } = await prepare("bash");
    const keys = [
      ["memspool ins\t", "memspool install "],
      ["memspool drain --set queue.overf\tsp\t", "memspool drain --set queue.overflow=spill "],
      ["memspool import not\t", "memspool import notes.txt "],
      ["memspool import tr\t", "memspool import transcripts "],
      ["memspool --home nov\t", "memspool --home nova/"],
    ] as const;
    // Control-X prints the line instead of running it.
    const rc = join(directory, "rc");
    writeFileSync(
      rc,
      `PS1=; source '${script}'; show() { printf '%s|\\n' "$READLINE_LINE" >> '${directory}/lines'; READLINE_LINE=; READLINE_POINT=0; }
bind -x '"\\C-x": show'\n`,
    );
    spawnSync("script", ["-qec", `bash --noprofile --rcfile '${rc}' -i`, "/dev/null"], {
      env: { ...env, SHELL: "/bin/bash" },
      cwd: directory,
      input: `${keys.map(([typed]) => `${typed}\x18`).join("")}\x04`,
      timeout: INTERACTIVE_MS_MAX,
    });
    const { stdout } = spawnSync("cat", [join(directory, "lines")], { encoding: "utf8" });
    expect(stdout.split("\n").filter(Boolean)).toEqual(keys.map(([, line]) => `${line}|`));
  },
  TEST_MS_MAX,
);

it("C1: in fish, its own completion engine gives words with their descriptions", async (context) => {
  needShell(context, "fish");
  const { directory, script, env } = await prepare("fish");
  const lines = [
    ...LINES,
    ["memspool --set queue.overflow=d", ["queue.overflow=drop-oldest"]],
    ["memspool import not", ["notes.txt"]],
    [
      "memspool import ",
      ["transcripts", "bin/", "completion.fish", "nova/", "notes.txt", "novel.txt"],
    ],
    ["memspool --home nov", ["nova/"]],
  ] as const;
  const program = [
    `source '${script}'`,
    ...lines.map(([line]) => `complete -C '${line}'; echo ----`),
  ].join("\n");
  const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", program], {
    env,
    cwd: directory,
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  const answers = stdout.split("----\n").slice(0, -1);
  const values = answers.map((answer) =>
    answer
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t")[0])
      .sort(),
  );
  expect(values).toEqual(lines.map(([, expected]) => [...expected].sort()));
  expect(answers[0]).toContain("install\tWrite memspool");
});

it(
  "C1: in an interactive zsh, the tab key completes words, settings and files",
  async (context) => {
    needShell(context, "zsh");
    needShell(context, "script");
    const { directory, script, env } = await prepare("zsh");
    const keys = [
      ["memspool ins\t", "memspool install "],
      ["memspool search --ti\tep\t", "memspool search --tier episodic "],
      ["memspool drain --set queue.overf\tsp\t", "memspool drain --set queue.overflow=spill "],
      ["memspool import not\t", "memspool import notes.txt "],
      ["memspool import tr\t", "memspool import transcripts "],
      ["memspool --home nov\t", "memspool --home nova/"],
    ] as const;
    writeFileSync(
      join(directory, ".zshrc"),
      `PS1=; autoload -Uz compinit; compinit -u -D; source '${script}'
show() { print -r -- "$BUFFER|" >> '${directory}/lines'; BUFFER=; zle reset-prompt }
zle -N show; bindkey '^T' show\n`,
    );
    spawnSync("script", ["-qec", "zsh -i", "/dev/null"], {
      env: { ...env, SHELL: "/bin/zsh" },
      cwd: directory,
      input: `${keys.map(([typed]) => `${typed}\x14`).join("")}\x04`,
      timeout: INTERACTIVE_MS_MAX,
    });
    const { stdout } = spawnSync("cat", [join(directory, "lines")], { encoding: "utf8" });
    expect(stdout.split("\n").filter(Boolean)).toEqual(keys.map(([, line]) => `${line}|`));
  },
  TEST_MS_MAX,
);
