/**
 * Threads that could not be ended because they are inside a native call, such as SQLite writing a
 * large store anew. `process.exit` waits for them, however long that takes.
 *
 * Guarantees: a process that has none is left alone. One that has ends at once, by SIGKILL, which it
 * must survive at any moment anyway: what the call was about is finished by whoever leads next. Call
 * it last: what was not written until then is not.
 */

interface Thread {
  once(event: "exit", act: () => void): unknown;
  terminate(): Promise<unknown>;
}

const running = new Set<Thread>();
const stuck = new Set<object>();

/** Of every thread, when it is started. */
export function noteThread(thread: Thread): void {
  running.add(thread);
  thread.once("exit", () => running.delete(thread));
}

/** Ends all threads without asking them. Those that have not ended after so long are stuck. */
export async function endThreads(ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  const ended = Promise.allSettled([...running].map((thread) => thread.terminate()));
  await Promise.race([ended, late]);
  clearTimeout(timer);
  for (const thread of running) noteStuckThread(thread);
}

export function noteStuckThread(thread: { once(event: "exit", act: () => void): unknown }): void {
  stuck.add(thread);
  thread.once("exit", () => stuck.delete(thread));
}

/** Does not return where a thread is stuck. */
export function endDespiteStuckThreads(): void {
  if (stuck.size > 0) process.kill(process.pid, "SIGKILL");
}
