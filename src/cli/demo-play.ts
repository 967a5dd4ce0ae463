/** The demo's course: capture, kill, ask, drain, compare, tell. */
import { MemspoolError } from "../errors.ts";
import type { FlushResult, SearchHit, SearchResult, StatusReport } from "../memory/memory.ts";
import { readCorpus } from "./demo-corpus.ts";
import type { CaptureOutcome, DemoFleet } from "./demo-fleet.ts";
import { QUESTIONS, type Question } from "./demo-questions.ts";
import { findRecord, type ToolCaller, type Verification, verifyStore } from "./demo-verify.ts";
import type { Output } from "./output.ts";
import { clip, counted, oneLine, shortDuration } from "./printable.ts";

interface Answer {
  readonly question: Question;
  readonly hit: SearchHit | undefined;
}

interface DemoResult {
  readonly captures: CaptureOutcome;
  readonly captureMs: number;
  readonly answers: readonly Answer[];
  readonly status: StatusReport;
  readonly verification: Verification;
  readonly totalMs: number;
}

const HITS_LOOKED_AT = 3;
const ANSWER_CHARS_MAX = 160;
const FLUSH_MS_MAX = 25_000;
const EXPLAIN_MS = 2_000;

/** True if every acknowledged word was found again. */
export async function playDemo(
  output: Output,
  fleet: DemoFleet,
  packageRoot: string,
  signal: AbortSignal,
): Promise<boolean> {
  const startedMs = performance.now();
  const records = await readCorpus(packageRoot);
  await fleet.start();
  tell(output, `${output.style("bold", "memspool demo")}: three servers share one data directory,`);
  tell(output, `${records.length} texts are captured, and one server is killed on the way.\n`);

  const captureStartedMs = performance.now();
  const captures = await withBar(output, records.length, (onProgress) =>
    fleet.capture(records, onProgress, signal),
  );
  const captureMs = performance.now() - captureStartedMs;
  // Asked at once, drained or not: what is acknowledged can be found.
  const answers = await ask(fleet);
  signal.throwIfAborted();
  await flush(output, fleet);
  const status = await (await fleet.server(0)).resource<StatusReport>("memspool://status");
  const verification = await verifyStore(captures.acknowledged, (by) => fleet.server(by + 1));
  const result: DemoResult = {
    captures,
    captureMs,
    answers,
    status,
    verification,
    totalMs: performance.now() - startedMs,
  };
  const passed = hasPassed(result, records.length);
  if (output.json) output.document(summary(result, passed));
  else await describe(output, result, passed);
  return passed;
}

function tell(output: Output, text: string): void {
  if (!output.json) output.line(text);
}

async function withBar<T>(
  output: Output,
  total: number,
  act: (onProgress: (done: number) => void) => Promise<T>,
): Promise<T> {
  const bar = await output.progress("capturing");
  try {
    return await act((done) => bar.update(done, total));
  } finally {
    bar.stop();
  }
}

async function ask(fleet: DemoFleet): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const [n, question] of QUESTIONS.entries()) {
    const server = await fleet.server(n);
    const { results } = await server.call<SearchResult>("memory_search", {
      query: question.words,
      limit: HITS_LOOKED_AT,
      ...(question.session === undefined ? {} : { session_id: question.session }),
    });
    answers.push({ question, hit: await firstThatAnswers(server, question, results) });
  }
  return answers;
}

/** Judged by the whole text; a snippet is only its most telling part. */
async function firstThatAnswers(
  server: ToolCaller,
  { expects }: Question,
  hits: readonly SearchHit[],
): Promise<SearchHit | undefined> {
  for (const hit of hits) {
    const found = await findRecord(server, hit.ulid);
    if (found !== undefined && expects.test(found.record.surface)) return hit;
  }
  return undefined;
}

/** The killed server may have been the one that drains; its successor waits until it is surely dead. */
async function flush(output: Output, fleet: DemoFleet): Promise<void> {
  const server = await fleet.server(0);
  const explain = setTimeout(
    () => tell(output, "Waiting for another server to take over draining …\n"),
    EXPLAIN_MS,
  );
  try {
    const answer = await server.call<FlushResult>("queue_flush", { timeout_ms: FLUSH_MS_MAX });
    if (answer.remaining > 0) {
      throw new MemspoolError(
        "INTERNAL",
        `${answer.remaining} records have not reached the store yet. Please report this.`,
      );
    }
  } finally {
    clearTimeout(explain);
  }
}

function hasPassed({ captures, answers, verification }: DemoResult, total: number): boolean {
  const { lost, altered, twice, stored } = verification;
  return (
    captures.acknowledged.length === total &&
    stored === total &&
    lost.length + altered.length + twice.length === 0 &&
    answers.every(({ hit }) => hit !== undefined)
  );
}

function summary(result: DemoResult, passed: boolean) {
  const { captures, answers, status, verification } = result;
  return {
    passed,
    acknowledged: captures.acknowledged.length,
    stored: verification.stored,
    lost: verification.lost.length,
    altered: verification.altered.length,
    twice: verification.twice.length,
    killed: captures.killed,
    repeated: captures.unanswered,
    questions: answers.map(({ question, hit }) => ({
      words: question.words,
      answered: hit !== undefined,
      ulid: hit?.ulid ?? null,
    })),
    state: status.state,
    capture_ms: Math.round(result.captureMs),
    ms: Math.round(result.totalMs),
  };
}

async function describe(output: Output, result: DemoResult, passed: boolean): Promise<void> {
  const { captures, status, verification } = result;
  const { killed, unanswered, acknowledged } = captures;
  const perSecond = Math.round((acknowledged.length / result.captureMs) * 1_000);
  output.line(
    `Captured ${acknowledged.length} texts in ${shortDuration(result.captureMs)} ` +
      `(${perSecond}/s, the pause of the killed server included).`,
  );
  output.line(
    `SIGKILL hit ${killed.name} (process ${killed.pid}) after ${killed.after} receipts, with\n` +
      `${counted(unanswered, "capture")} unanswered; it was started again and they were repeated.\n`,
  );
  await output.table(
    [{ head: "question", width: 24 }, { head: "answer" }, { head: "from", width: 22 }],
    result.answers.map(({ question, hit }) => [
      question.words,
      hit === undefined ? "no answer" : clip(oneLine(hit.snippet), ANSWER_CHARS_MAX),
      hit === undefined ? "" : oneLine(hit.session_id ?? ""),
    ]),
  );
  const { leader } = status.ingester;
  const drains = leader === null ? "nobody drains" : `process ${leader.pid} drains`;
  output.line(
    `\nmemspool://status: ${status.state}, ${status.queue.depth} pending, ` +
      `${status.store.records ?? "?"} records in the store, ${drains}\n`,
  );
  const counts: readonly (readonly [string, number, boolean])[] = [
    ["acknowledged", acknowledged.length, true],
    ["in the store", verification.stored, verification.stored === acknowledged.length],
    ["lost", verification.lost.length, verification.lost.length === 0],
    ["altered", verification.altered.length, verification.altered.length === 0],
    ["twice", verification.twice.length, verification.twice.length === 0],
  ];
  for (const [name, count, good] of counts) {
    output.line(
      `  ${name.padEnd(14)}${output.style(good ? "green" : "red", `${count}`.padStart(5))}`,
    );
  }
  output.line(
    passed
      ? `\n${output.style("green", "Every acknowledged text was read back byte for byte")} through\n` +
          `another server than the one that took it. ${shortDuration(result.totalMs)} in all.`
      : `\n${output.style("red", "The promise was broken.")} Please report this output.`,
  );
}
