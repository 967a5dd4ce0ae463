// `node bench/sensor-cost.mjs [--seconds=45] [--rounds=3] [--pending=10000] [--scene=1]`
// What the sensors of pressure control cost, in percent of one core: the processor time of a whole
// process (all of its threads) with the control loop running, less that of the same process without
// it, in turns. A run must be longer than the gap between two looks at a full queue.
// Idle, a loop ticks once a second; busy, every 50 ms, as while captures are under way,
// and another process puts an envelope into the queue and takes one out, CHANGES times a second.
// `lookMs` is what a look costs this thread, as the loop measures it.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { loadSource } from "./load-source.mjs";
import { interleave, median } from "./statistics.mjs";
import { describeMachine, openWorkspace } from "./workspace.mjs";

const option = (name, value) =>
  Number(process.argv.find((each) => each.startsWith(`--${name}=`))?.split("=")[1] ?? value);
const SECONDS = option("seconds", 45);
const ROUNDS = option("rounds", 3);
const PENDING = option("pending", 10_000);
/** Only this one of the scenes, from 1; 0 is all. */
const SCENE = option("scene", 0);
const ENVELOPE = Buffer.alloc(900, 32);
const CHANGES = 20;
const WARM_UP_MS = 3_000;

const workspace = openWorkspace();
try {
  console.log(workspace.description, JSON.stringify(describeMachine()));
  await measureAll(workspace.dir);
} finally {
  workspace.close();
}

async function measureAll(dir) {
  const source = await loadSource(dir, {
    "src/app/control-loop-here.ts": ["controlLoopHere"],
    "src/app/gate-here.ts": ["gateHere"],
    "src/config/load-config.ts": ["loadConfig"],
    "src/platform/clock.ts": ["systemClock"],
    "src/platform/thread-time.ts": ["ThreadTime"],
    "src/pressure/ack-latency.ts": ["AckLatency"],
    "src/queue/layout.ts": ["queueLayout"],
    "src/record/record-id.ts": ["generateUlid"],
  });
  const scenes = [
    { name: "idle, nothing pending", pending: 0, busy: false },
    { name: `idle, ${PENDING} pending`, pending: PENDING, busy: false },
    { name: "busy, nothing pending", pending: 0, busy: true },
    { name: `busy, ${PENDING} pending`, pending: PENDING, busy: true },
  ];
  for (const [index, scene] of scenes.entries()) {
    if (SCENE !== 0 && SCENE !== index + 1) continue;
    const home = join(dir, `home-${index}`);
    await fill(source, home, scene.pending);
    const changing = scene.busy ? change(source.queueLayout(join(home, "queue")).dir) : undefined;
    console.log(await measure(source, home, scene));
    changing?.kill();
  }
}

function fill({ queueLayout, generateUlid }, home, pending) {
  const layout = queueLayout(join(home, "queue"));
  for (const each of [layout.dir, layout.doneDir, layout.overflowDir]) {
    mkdirSync(each, { recursive: true, mode: 0o700 });
  }
  for (let n = 0; n < pending; n++) {
    writeFileSync(join(layout.dir, `pending-${generateUlid()}.json`), ENVELOPE);
  }
}

/** Puts and takes envelopes. */
function change(dir) {
  const script = `
    const { writeFileSync, rmSync } = require("node:fs");
    const path = (n) => process.argv[1] + "/pending-7" + String(n).padStart(25, "0") + ".json";
    let n = 0;
    setInterval(() => {
      writeFileSync(path(n), Buffer.alloc(${ENVELOPE.length}));
      rmSync(path(n - 10), { force: true });
      n++;
    }, ${1_000 / CHANGES});`;
  return spawn(process.execPath, ["-e", script, dir], { stdio: "inherit" });
}

async function measure(source, home, { name, busy }) {
  const { config } = await source.loadConfig({ env: { HOME: home }, flags: { home } });
  const layout = source.queueLayout(join(home, "queue"));
  const host = { report: undefined, pace: () => {}, trim: () => {} };
  let looks = 0;
  let costsMs = [];
  const threadTime = new source.ThreadTime("/proc");
  const events = { emit: (event, fields) => console.log(event, JSON.stringify(fields)) };
  const loop = () => {
    const here = source.gateHere({
      ...{ config, layout, clock: source.systemClock, events },
      ...{ memoryLevel: () => "normal", isWatched: () => true },
    });
    const meter = {
      measure: async () => {
        looks++;
        const costMs = threadTime.start();
        const look = await here.meter.measure();
        costsMs.push(costMs());
        return look;
      },
    };
    const gate = { inFlight: busy ? 1 : 0, facts: () => here.gate.facts() };
    const latency = new source.AckLatency();
    const paths = { alertsDir: join(home, "alerts") };
    return source.controlLoopHere({
      ...{ ...here, config, paths, events, latency, host, meter, gate },
    });
  };
  const percent = async (run) => {
    await pause(WARM_UP_MS);
    looks = 0;
    costsMs = [];
    const before = process.cpuUsage();
    const startedMs = performance.now();
    await pause(SECONDS * 1_000);
    const { user, system } = process.cpuUsage(before);
    const share = (user + system) / 1_000 / (performance.now() - startedMs);
    run?.stop();
    return { percent: share * 100, looks, lookMs: costsMs.length > 0 ? median(costsMs) : 0 };
  };
  const rounds = await interleave(
    {
      without: () => percent(undefined),
      with: () => {
        const run = loop();
        run.start();
        return percent(run);
      },
    },
    ROUNDS,
  );
  const of = (side) => median(rounds[side].map((round) => round.percent));
  const cost = median(rounds.with.map((round, at) => round.percent - rounds.without[at].percent));
  return {
    scene: name,
    percentOfACore: Number(cost.toFixed(3)),
    withSensors: Number(of("with").toFixed(3)),
    without: Number(of("without").toFixed(3)),
    lookMs: Number(median(rounds.with.map((round) => round.lookMs)).toFixed(2)),
    looksASecond: Number((median(rounds.with.map((round) => round.looks)) / SECONDS).toFixed(2)),
  };
}
