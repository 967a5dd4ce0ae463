/** Many processes on one data directory, and what is done to them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import type { Acknowledgement } from "./capturing-server.ts";
import type { CrowdRole, CrowdTask } from "./crowd-child.ts";

export interface Member {
  readonly role: CrowdRole;
  readonly name: string;
  readonly child: ChildProcess;
  /** Resolves when it is gone. */
  readonly gone: Promise<void>;
  stopped: boolean;
  leads: boolean;
  alive: boolean;
}

/** How long nobody led: from the end or stop of one leader to the election of another. */
export interface TakeOver {
  readonly after: "SIGKILL" | "SIGSTOP";
  readonly ms: number;
}

export class Crowd {
  readonly acknowledged: Acknowledgement[] = [];
  readonly takeOvers: TakeOver[] = [];
  readonly members: Member[] = [];
  readonly counts = { kills: 0, stops: 0, steps: 0, refused: 0 };
  /** Members that ended in a way that nobody asked for. */
  readonly failures: string[] = [];
  readonly #bundle: string;
  readonly #home: string;
  readonly #maxSize: number;
  #orphanedSince: { readonly at: number; readonly after: TakeOver["after"] } | undefined;
  #names = 0;

  constructor(bundle: string, home: string, maxSize: number) {
    this.#bundle = bundle;
    this.#home = home;
    this.#maxSize = maxSize;
    onTestFinished(() => this.#endAll());
  }

  /** Starts one; resolves when it is at work. */
  async add(role: CrowdRole): Promise<Member> {
    const name = `p${++this.#names}`;
    const task: CrowdTask = { role, home: this.#home, name, maxSize: this.#maxSize };
    const child = spawn(process.execPath, [this.#bundle, JSON.stringify(task)], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { PATH: process.env.PATH },
    });
    child.stdin?.on("error", () => {}); // it may have been killed
    const gone = once(child, "close").then(([code]) => {
      if (code !== 0 && code !== null) this.failures.push(`${role} ended with ${code}`);
    });
    const member: Member = { role, name, child, gone, stopped: false, leads: false, alive: true };
    this.members.push(member);
    const ready = new Promise<void>((resolve) => {
      let rest = "";
      child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (this.#hear(member, JSON.parse(line))) resolve();
      });
    });
    await Promise.race([ready, gone]);
    return member;
  }

  #hear(member: Member, said: Record<string, unknown>): boolean {
    if (typeof said.ulid === "string") this.acknowledged.push(said as never);
    if (said.refused === true) this.counts.refused++;
    if (typeof said.leads === "boolean") {
      member.leads = said.leads;
      if (said.leads && this.#orphanedSince) {
        const { at, after } = this.#orphanedSince;
        this.takeOvers.push({ after, ms: Math.round(performance.now() - at) });
        this.#orphanedSince = undefined;
      }
    }
    return said.ready === true;
  }

  living(...roles: CrowdRole[]): Member[] {
    return this.members.filter(({ role, alive }) => alive && roles.includes(role));
  }

  /** SIGKILL, and another of its kind in its place. */
  async killAndReplace(member: Member): Promise<void> {
    this.counts.kills++;
    this.#losesLeader(member, "SIGKILL");
    member.alive = false;
    member.child.kill("SIGKILL");
    await member.gone;
    await this.add(member.role);
  }

  stop(member: Member): void {
    this.counts.stops++;
    this.#losesLeader(member, "SIGSTOP");
    member.stopped = true;
    member.child.kill("SIGSTOP");
  }

  continue(member: Member): void {
    member.stopped = false;
    member.child.kill("SIGCONT");
  }

  /** Somebody sets its clock. */
  step(member: Member, stepMs: number): void {
    this.counts.steps++;
    member.child.stdin?.write(`${JSON.stringify({ stepMs })}\n`);
  }

  /** Lets them finish what they have in hand. */
  async leave(members: readonly Member[]): Promise<void> {
    for (const member of members) {
      if (member.stopped) this.continue(member);
      member.alive = false;
      member.child.stdin?.end();
    }
    await Promise.all(members.map(({ gone }) => gone));
  }

  #losesLeader(member: Member, after: TakeOver["after"]): void {
    if (!member.leads) return;
    member.leads = false;
    this.#orphanedSince ??= { at: performance.now(), after };
  }

  async #endAll(): Promise<void> {
    const living = this.members.filter(({ alive }) => alive);
    for (const { child } of living) child.kill("SIGKILL");
    await Promise.all(living.map(({ gone }) => gone));
  }
}
