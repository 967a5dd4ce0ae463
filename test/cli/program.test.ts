import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { interruption } from "../../src/cli/interruption.ts";
import { MemspoolError } from "../../src/errors.ts";
import { type FakeApp, makeFakeApp } from "../support/fake-app.ts";
import { MemoryStream, type RunOptions, run as runAt } from "../support/run-program.ts";

let home: string;
let app: FakeApp;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "memspool-cli-"));
  app = makeFakeApp();
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const run = (argv: readonly string[], options: Partial<RunOptions> = {}) =>
  runAt(argv, { home, app, ...options });

describe("serve", () => {
  it("C1: memspool alone serves when stdin is no terminal, and says nothing on stdout", async () => {
    app.serveExit = 7;
    expect(await run([], { stdin: "" })).toMatchObject({ exitCode: 7, stdout: "", stderr: "" });
    expect(app.configs[0]?.home).toBe(home);
  });

  it("C1: on a terminal memspool alone shows its help", async () => {
    const { exitCode, stdout } = await run([]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Usage: memspool");
    expect(app.configs).toEqual([]);
  });

  it("C1: serve takes the settings' options on both ways into it", async () => {
    const elsewhere = join(home, "e");
    await run(["serve", "--home", elsewhere, "--project", "p", "--log-level", "error"]);
    await run(["--home", elsewhere, "--project=p", "serve", "--log-level=error"]);
    await run(["serve", "--set", "queue.maxAttempts=9"]);
    for (const config of app.configs.slice(0, 2)) {
      expect(config).toMatchObject({ home: elsewhere, project: "p", "log.level": "error" });
    }
    expect(app.configs[2]?.["queue.maxAttempts"]).toBe(9);
  });

  it("C1: options without a command serve, too, unless stdin is a terminal", async () => {
    const elsewhere = join(home, "e");
    const argv = ["--home", elsewhere, "--set", "queue.maxAttempts=9"];
    expect(await run(argv, { stdin: "" })).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(app.configs[0]).toMatchObject({ home: elsewhere, "queue.maxAttempts": 9 });
    const { exitCode, stderr } = await run(argv);
    expect(exitCode).toBe(2);
    expect(stderr).toBe("error INVALID_ARGUMENT: there is no command. See: memspool --help\n");
  });

  it("C1: help and wrong options of serve do not start a server", async () => {
    expect((await run(["serve", "--help"], { stdin: "" })).stdout).toContain("memspool serve");
    expect((await run(["serve", "--hom", "x"], { stdin: "" })).exitCode).toBe(2);
    expect(app.configs).toEqual([]);
  });

  it("P11: a bad setting stops the start with its name, value and range, exit code 2", async () => {
    const env = { MEMSPOOL_QUEUE_MAX_ATTEMPTS: "none" };
    for (const argv of [[], ["serve"], ["capture", "x"], ["serve", "--set", "project=a"]]) {
      const { exitCode, stdout, stderr } = await run(argv, { env, stdin: "" });
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toMatch(/^error CONFIG_INVALID: queue\.maxAttempts is "none" .*1 to 100/);
    }
    expect(app.configs).toEqual([]);
  });

  it("P11: an unknown variable is a warning on stderr", async () => {
    const env = { MEMSPOOL_QUEUE_MAXATTEMPTS: "5" };
    for (const argv of [["serve"], ["status"]]) {
      const { exitCode, stderr } = await run(argv, { env });
      expect(exitCode).toBe(0);
      expect(stderr).toContain("warning: ");
      expect(stderr).toContain("MEMSPOOL_QUEUE_MAXATTEMPTS");
    }
  });

  it("C1: a server that can not start is an error on stderr", async () => {
    app.serve = async () => {
      throw new MemspoolError("DATA_DIR_UNUSABLE", "It is read-only. Choose another.");
    };
    expect(await run([], { stdin: "" })).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: "error DATA_DIR_UNUSABLE: It is read-only. Choose another.\n",
    });
  });
});

describe("settings", () => {
  it("P11: an argument beats the environment, and that the file", async () => {
    writeFileSync(join(home, "config.json"), '{"ingest.pollMs": 100, "queue.maxAttempts": 5}');
    const env = { MEMSPOOL_INGEST_POLL_MS: "200" };
    await run(["status"], { env });
    await run(["status", "--set", "ingest.pollMs=300"], { env });
    expect(app.configs.map((config) => config["ingest.pollMs"])).toEqual([200, 300]);
    expect(app.configs[0]?.["queue.maxAttempts"]).toBe(5);
  });

  it("P11: --set refuses what is no setting", async () => {
    expect((await run(["status", "--set", "colour=red"])).stderr).toContain("CONFIG_INVALID");
    expect((await run(["status", "--set", "colour"])).stderr).toContain("name=value");
  });
});

describe("calls", () => {
  const commands = [
    "serve",
    "capture",
    "search",
    "get",
    "recent",
    "status",
    "diag",
    "drain",
    "quarantine",
    "doctor",
    "install",
    "completion",
    "demo",
  ];

  it("C1: help lists every command, the exit codes and the settings", async () => {
    const { exitCode, stdout } = await run(["--help"]);
    expect(exitCode).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(stdout).toContain("Exit codes: 0");
    expect(stdout).toContain("MEMSPOOL_QUEUE_MAX_ATTEMPTS");
    expect(stdout).toContain("MEMSPOOL_RETENTION_PROJECTS (default none)");
    expect(stdout).toContain("MEMSPOOL_PRIVACY_PATTERNS (default none)");
    expect(stdout).toContain("(also MEMORY_LIMIT_BYTES)");
  });

  it.each(commands)("C1: %s --help shows examples and the common options", async (command) => {
    const { exitCode, stdout } = await run([command, "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/Examples:\n {2}\$ /);
    expect(stdout).toContain("--json");
  });

  it("C1: --version", async () => {
    expect(await run(["--version"])).toMatchObject({
      exitCode: 0,
      stdout: `${MEMSPOOL_VERSION}\n`,
    });
  });

  it.each([
    [["frobnicate"], "frobnicate"],
    [["search"], "words"],
    [["search", "x", "--limt", "3"], "--limt"],
    [["get"], "ulid"],
    [["get", "a", "b"], "too many arguments"],
    [["quarantine", "empty"], "too many arguments"],
    [["help", "frobnicate"], "frobnicate"],
    [["search", "x", "--limit", "0"], "memspool search --help"],
  ])("C1: %j is a wrong call: one line, exit code 2", async (argv, named) => {
    const { exitCode, stdout, stderr } = await run(argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^error INVALID_ARGUMENT: [^\n]*\n$/);
    expect(stderr).toContain(named);
  });

  it("C1: help fits a terminal of 80 columns", async () => {
    const stdout = Object.assign(new MemoryStream(), { columns: 80 });
    for (const argv of [["--help"], ...commands.map((command) => [command, "--help"])]) {
      await run(argv, { stdout });
    }
    const lines = stdout.bytes().toString("utf8").split("\n");
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  it("C1: with --json a wrong call is a JSON document too", async () => {
    const { exitCode, json, stderr } = await run(["get", "--json"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: "" });
    expect(json()).toMatchObject({ error: { code: "INVALID_ARGUMENT", retryable: false } });
  });

  it("C1: what is not ours is INTERNAL, and its text stays out of the JSON", async () => {
    app.memory.status = async () => {
      throw new Error("driver text");
    };
    const { exitCode, stdout, json } = await run(["status", "--json"]);
    expect(exitCode).toBe(1);
    expect(json()).toMatchObject({ error: { code: "INTERNAL" } });
    expect(stdout).not.toContain("driver text");
    expect((await run(["status"])).stderr).toContain("driver text");
  });
});

describe("interruption", () => {
  it("C1: an interrupted command says so, closes its parts and ends with 1", async () => {
    const controller = new AbortController();
    app.drain = async ({ signal }) => {
      controller.abort();
      signal?.throwIfAborted();
      throw new TypeError("not aborted");
    };
    const { exitCode, stderr } = await run(["drain"], { signal: controller.signal });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error SHUTTING_DOWN: It was interrupted[^\n]*\n$/);
    expect(app.closed).toBe(1);
  });

  it("C1: a command that does not ask for the signal leaves the process's handlers alone", () => {
    const before = process.listenerCount("SIGINT");
    const lazy = interruption();
    expect(process.listenerCount("SIGINT")).toBe(before);
    expect(lazy.signal.aborted).toBe(false);
    expect(process.listenerCount("SIGINT")).toBe(before + 1);
    process.emit("SIGINT");
    expect(lazy.signal.aborted).toBe(true);
    lazy.dispose();
    expect(process.listenerCount("SIGINT")).toBe(before);
  });
});

describe("readers", () => {
  it("C1: a slow reader gets everything before the command ends", async () => {
    const stdout = new MemoryStream();
    const waiting: (() => void)[] = [];
    const taken = new Promise<void>((asked) => {
      stdout._write = (chunk: Buffer, _encoding, done) => {
        stdout.chunks.push(chunk);
        waiting.push(done);
        asked();
      };
    });
    let ended = false;
    const running = run(["recent", "--json"], { stdout }).then((result) => {
      ended = true;
      return result;
    });
    await taken;
    for (let turn = 0; turn < 20; turn++) await new Promise((next) => setImmediate(next));
    expect({ ended, closed: app.closed }).toEqual({ ended: false, closed: 1 });
    for (const done of waiting) done();
    expect(await running).toMatchObject({ exitCode: 0, stderr: "" });
  });

  it("C1: output that could not be written is exit code 1, and said on stderr", async () => {
    const stdout = new MemoryStream();
    stdout._write = (_chunk, _encoding, done) =>
      done(Object.assign(new Error("no space"), { code: "ENOSPC" }));
    const { exitCode, stderr } = await run(["status"], { stdout });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: standard output can not be written \(ENOSPC\)[^\n]*\n$/);
  });
});
