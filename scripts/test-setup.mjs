// Brings what the tests need beyond npm, and says what is there. Installs a missing program with
// apt-get where that is possible. What is still missing then makes tests skip, with one line for
// each; with CI=true it ends the run instead, because a skipped test proves nothing there.
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const PROGRAMS = [
  {
    name: "strace",
    debianPackage: "strace",
    needed: process.platform === "linux",
    without: "tests that count system calls and inject faults into them are skipped",
  },
  {
    name: "mkfs.vfat",
    debianPackage: "dosfstools",
    needed: process.platform === "linux",
    without: "the test on a file system without hard links is skipped",
  },
  {
    name: "mkfs.ext4",
    debianPackage: "e2fsprogs",
    needed: process.platform === "linux",
    without: "tests of the quota on a small file system of their own are skipped",
  },
  {
    name: "zsh",
    debianPackage: "zsh",
    needed: process.platform === "linux",
    without: "the test of completion in zsh is skipped",
  },
  {
    name: "fish",
    debianPackage: "fish",
    needed: process.platform === "linux",
    without: "the test of completion in fish is skipped",
  },
  {
    name: "script",
    debianPackage: "bsdutils",
    needed: process.platform === "linux",
    without: "the test of the live view on a real terminal is skipped",
  },
  {
    name: "git",
    debianPackage: "git",
    needed: true,
    without: "tests on real repositories, worktrees and submodules are skipped",
  },
];

function pathOf(program) {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(directory, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory: the next one may have it.
    }
  }
  return undefined;
}

function aptInstall(packages) {
  const run = (...args) =>
    spawnSync("apt-get", args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      timeout: 120_000,
    }).status === 0;
  console.log(`test setup: installing ${packages.join(", ")} with apt-get`);
  run("update", "-qq");
  run("install", "-y", "-qq", "--no-install-recommends", ...packages);
}

const missing = () => PROGRAMS.filter(({ name, needed }) => needed && pathOf(name) === undefined);

const absent = missing();
if (absent.length > 0 && process.getuid?.() === 0 && pathOf("apt-get") !== undefined) {
  aptInstall(absent.map(({ debianPackage }) => debianPackage));
}
for (const { name } of PROGRAMS) {
  const path = pathOf(name);
  if (path !== undefined) console.log(`test setup: ${name} is ${path}`);
}
const stillMissing = missing();
for (const { name, debianPackage, without } of stillMissing) {
  console.log(`test setup: ${name} is missing (Debian package ${debianPackage}): ${without}`);
}
if (stillMissing.length > 0 && process.env.CI === "true") {
  console.error("test setup: CI=true and programs are missing; install them in the job.");
  process.exitCode = 1;
}
