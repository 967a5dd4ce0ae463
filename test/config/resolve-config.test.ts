import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ConfigInputs, resolveConfig, resolveHome } from "../../src/config/resolve-config.ts";
import { envName, SETTING_NAMES, SETTINGS } from "../../src/config/settings.ts";
import { MemspoolError } from "../../src/errors.ts";
import { DEFAULT_MAX_SIZE } from "../../src/queue/capture-queue.ts";

const resolve = (inputs: Partial<ConfigInputs> = {}) =>
  resolveConfig({ env: {}, homedir: "/home/u", cwd: "/elsewhere", ...inputs });

function refusal(inputs: Partial<ConfigInputs>): MemspoolError {
  try {
    resolve(inputs);
  } catch (error) {
    if (error instanceof MemspoolError) return error;
    throw error;
  }
  throw new TypeError("nothing was refused");
}

describe("precedence", () => {
  const file = { "ingest.pollMs": 100 };
  const env = { MEMSPOOL_INGEST_POLL_MS: "200" };
  const flags = { "ingest.pollMs": "300" };

  it("P11: a default holds where nothing is set, and every setting has a right one", () => {
    const { config, sources } = resolve();
    expect(Object.keys(config).sort()).toEqual([...SETTING_NAMES].sort());
    expect(config["ingest.pollMs"]).toBe(1_000);
    expect(new Set(Object.values(sources))).toEqual(new Set(["default"]));
  });

  it("P11: the file beats the default, the environment the file, an argument everything", () => {
    expect(resolve({ file }).config["ingest.pollMs"]).toBe(100);
    expect(resolve({ file, env }).config["ingest.pollMs"]).toBe(200);
    const { config, sources } = resolve({ file, env, flags });
    expect(config["ingest.pollMs"]).toBe(300);
    expect(sources["ingest.pollMs"]).toBe("argument");
    expect(resolve({ file, env }).sources["ingest.pollMs"]).toBe("environment");
  });

  it("P11: an argument that is undefined is not given", () => {
    expect(resolve({ env, flags: { "ingest.pollMs": undefined } }).config["ingest.pollMs"]).toBe(
      200,
    );
  });

  it("P11: a bad value is refused even where a stronger source overrides it", () => {
    expect(refusal({ file: { "ingest.pollMs": 1 }, flags }).details.source).toBe("file");
  });
});

describe("validation", () => {
  it("P11: a bad value from the environment names setting, variable, value and range", () => {
    const error = refusal({ env: { MEMSPOOL_QUEUE_MAX_ATTEMPTS: "zero" } });
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain("queue.maxAttempts");
    expect(error.message).toContain("MEMSPOOL_QUEUE_MAX_ATTEMPTS");
    expect(error.message).toContain('"zero"');
    expect(error.message).toContain("from 1 to 100");
    expect(error.details).toEqual({
      setting: "queue.maxAttempts",
      source: "environment",
      value: '"zero"',
      expects: "a whole number from 1 to 100",
    });
  });

  it.each([
    ["", "empty"],
    ["0", "below"],
    ["101", "above"],
    ["1.5", "a fraction"],
    ["1e1", "an exponent"],
    ["0x10", "hexadecimal"],
    [" 5", "padded"],
    ["-5", "negative"],
    ["NaN", "not a number"],
  ])("P11: refuses the number %j (%s)", (text) => {
    expect(refusal({ env: { MEMSPOOL_QUEUE_MAX_ATTEMPTS: text } }).code).toBe("CONFIG_INVALID");
  });

  it.each([[true], [null], [[5]], [{}], [1.5], [Number.POSITIVE_INFINITY]])(
    "P11: refuses %j in the file where a whole number belongs",
    (value) => {
      expect(refusal({ file: { "queue.maxAttempts": value } }).details.source).toBe("file");
    },
  );

  it("P11: reads switches from text and from JSON", () => {
    const from = (text: string) =>
      resolve({ env: { MEMSPOOL_INGEST_ENABLED: text } }).config["ingest.enabled"];
    expect([from("false"), from("0"), from("true"), from("1")]).toEqual([false, false, true, true]);
    expect(resolve({ file: { "ingest.enabled": false } }).config["ingest.enabled"]).toBe(false);
    expect(refusal({ env: { MEMSPOOL_INGEST_ENABLED: "maybe" } }).message).toContain(
      "true or false",
    );
  });

  it("P11: unknown names are refused in file and arguments", () => {
    expect(refusal({ file: { "queue.maxAtempts": 3 } }).message).toContain('"queue.maxAtempts"');
    expect(refusal({ flags: { colour: "red" } }).message).toContain('"colour"');
    expect(refusal({ file: { __proto__x: 1 } }).code).toBe("CONFIG_INVALID");
    expect(refusal({ file: JSON.parse('{"__proto__": 1}') }).message).toContain("__proto__");
  });

  it("P11: an unknown MEMSPOOL_ variable is a warning that names it", () => {
    const { warnings } = resolve({
      env: { MEMSPOOL_QEUE: "1", PATH: "/bin", MEMSPOOL_HOME: "/x" },
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("MEMSPOOL_QEUE");
  });

  it("P11: the file must be an object and may not move the directory that it lies in", () => {
    for (const file of [null, [], "x", 3]) expect(refusal({ file }).code).toBe("CONFIG_INVALID");
    expect(refusal({ file: { home: "/elsewhere" } }).message).toContain("MEMSPOOL_HOME");
  });

  it("P11: a long bad value is not repeated in full", () => {
    expect(refusal({ file: { "log.level": "x".repeat(10_000) } }).message.length).toBeLessThan(400);
  });

  it("P11: a project named * is refused, for a search with it means everything", () => {
    expect(refusal({ flags: { project: "*" } }).details.setting).toBe("project");
    expect(refusal({ flags: { project: "x".repeat(1_025) } }).details.setting).toBe("project");
  });
});

describe("paths", () => {
  it("P11: ~ is the home directory and home becomes absolute", () => {
    expect(resolve().config.home).toBe("/home/u/.memspool");
    expect(resolve({ flags: { home: "~" } }).config.home).toBe("/home/u");
    expect(resolve({ flags: { home: "data/../d" } }).config.home).toBe("/elsewhere/d");
    expect(resolve({ flags: { home: "/a/b/../c/" } }).config.home).toBe("/a/c");
    expect(resolve({ flags: { home: "~else" } }).config.home).toBe("/elsewhere/~else");
    expect(refusal({ env: { MEMSPOOL_HOME: "" } }).details.setting).toBe("home");
    expect(refusal({ flags: { home: "a\0b" } }).details.setting).toBe("home");
  });

  it("P11: a relative log file counts from the data directory", () => {
    const { config } = resolve({ flags: { home: "/d" }, file: { "log.file": "m.log" } });
    expect(config["log.file"]).toBe("/d/m.log");
    expect(resolve().config["log.file"]).toBe("");
  });

  it("Q13: nothing is read at import: the same process resolves another home at once", () => {
    const at = (home: string) => resolveHome({ env: { MEMSPOOL_HOME: home }, cwd: "/" });
    expect([at("/one"), at("/two")]).toEqual(["/one", "/two"]);
    expect(resolveHome({ env: { HOME: "/home/v" } })).toBe("/home/v/.memspool");
    for (const env of [{ HOME: "" }, {}]) {
      expect(resolveHome({ env })).toBe(join(userInfo().homedir, ".memspool"));
    }
  });
});

it("P11: the configuration can not be changed afterwards", () => {
  const { config } = resolve();
  expect(Object.isFrozen(config)).toBe(true);
});

it("P11: every setting's variable name follows from its name", () => {
  expect(SETTING_NAMES.map(envName)).toEqual([
    "MEMSPOOL_HOME",
    "MEMSPOOL_PROJECT",
    "MEMSPOOL_PROJECT_DETECT",
    "MEMSPOOL_LOG_LEVEL",
    "MEMSPOOL_LOG_FILE",
    "MEMSPOOL_LOG_MAX_BYTES",
    "MEMSPOOL_LOG_BACKUPS",
    "MEMSPOOL_RECORD_MAX_BYTES",
    "MEMSPOOL_QUEUE_MAX_RECORDS",
    "MEMSPOOL_QUEUE_OVERFLOW",
    "MEMSPOOL_QUEUE_MAX_ATTEMPTS",
    "MEMSPOOL_INGEST_BATCH_RECORDS",
    "MEMSPOOL_INGEST_POLL_MS",
    "MEMSPOOL_INGEST_ENABLED",
    "MEMSPOOL_SPOOL_QUOTA_MB",
    "MEMSPOOL_SPOOL_SOFT_PCT",
    "MEMSPOOL_SPOOL_HARD_PCT",
    "MEMSPOOL_SPOOL_FREE_MB_MIN",
    "MEMSPOOL_SPOOL_FREE_INODES_MIN",
    "MEMSPOOL_SPOOL_DELAY_MS",
    "MEMSPOOL_SPOOL_WAIT_MS",
    "MEMSPOOL_SPOOL_WAIT_RECORDS",
    "MEMSPOOL_SPOOL_WAIT_BYTES",
    "MEMSPOOL_MEMORY_LIMIT_BYTES",
    "MEMSPOOL_MEMORY_THROTTLE_PCT",
    "MEMSPOOL_MEMORY_SHED_PCT",
    "MEMSPOOL_MEMORY_CRITICAL_PCT",
    "MEMSPOOL_MEMORY_RELIEF_PCT",
    "MEMSPOOL_STALL_PCT",
    "MEMSPOOL_GOVERNOR_LOOP_DELAY_MS",
    "MEMSPOOL_GOVERNOR_STORE_MS",
    "MEMSPOOL_GOVERNOR_COOL_DOWN_MS",
    "MEMSPOOL_GOVERNOR_FLOOR_PCT",
    "MEMSPOOL_EARLY_DROP_FROM_PCT",
    "MEMSPOOL_EARLY_DROP_REFUSE_PCT",
    "MEMSPOOL_HOOK_RECALL",
    "MEMSPOOL_HOOK_RECALL_CHARS",
    "MEMSPOOL_HOOK_TOOLS",
    "MEMSPOOL_PRIVACY_PRIVATE_SPANS",
    "MEMSPOOL_PRIVACY_SECRETS",
    "MEMSPOOL_PRIVACY_PATTERNS",
    "MEMSPOOL_RETENTION_DAYS",
    "MEMSPOOL_RETENTION_PROJECTS",
  ]);
  for (const name of SETTING_NAMES) expect(SETTINGS[name].help).not.toBe("");
});

describe("settings that belong together", () => {
  it("P11: a soft limit above the hard one stops the start, naming both and the range", () => {
    const error = refusal({
      env: { MEMSPOOL_SPOOL_SOFT_PCT: "95", MEMSPOOL_SPOOL_HARD_PCT: "80" },
    });
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.details).toMatchObject({ setting: "spool.softPct", value: "95" });
    expect(error.message).toContain("at most spool.hardPct, which is 80");
  });

  it("P11: the shares of memory rise from relief to critical", () => {
    expect(refusal({ file: { "memory.reliefPct": 71 } }).details.setting).toBe("memory.reliefPct");
    expect(refusal({ file: { "memory.shedPct": 91 } }).details.setting).toBe("memory.shedPct");
    expect(resolve({ file: { "memory.shedPct": 90 } }).config["memory.shedPct"]).toBe(90);
  });

  it("P11: the names of the field are taken too, and the setting's own is the stronger one", () => {
    const env = { MEMORY_LIMIT_BYTES: "1000000", MEMSPOOL_QUOTA_MB: "2" };
    const { config, sources, warnings } = resolve({ env });
    expect(config["memory.limitBytes"]).toBe(1_000_000);
    expect(config["spool.quotaMb"]).toBe(2);
    expect(sources["spool.quotaMb"]).toBe("environment");
    expect(warnings).toEqual([]);
    const both = resolve({ env: { ...env, MEMSPOOL_SPOOL_QUOTA_MB: "3" } });
    expect(both.config["spool.quotaMb"]).toBe(3);
    const error = refusal({ env: { MEMORY_LIMIT_BYTES: "lots" } });
    expect(error.message).toContain("MEMORY_LIMIT_BYTES");
  });

  it("P7: max and what no machine has are no limit", () => {
    const limit = (text: string) =>
      resolve({ env: { MEMORY_LIMIT_BYTES: text } }).config["memory.limitBytes"];
    expect(limit("max")).toBe(0);
    expect(limit("1152921504606846976")).toBe(0);
    expect(limit("18446744073709551615")).toBe(0);
    expect(refusal({ env: { MEMORY_LIMIT_BYTES: "-1" } }).code).toBe("CONFIG_INVALID");
  });
});

it("P11: queue.maxRecords, its variable and the library's maxSize are one setting", () => {
  expect(SETTINGS["queue.maxRecords"].default).toBe(DEFAULT_MAX_SIZE);
  const { config } = resolve({ env: { MEMSPOOL_QUEUE_MAX_RECORDS: "7" } });
  expect(config["queue.maxRecords"]).toBe(7);
});
