/**
 * Threads that could not be ended because they are inside a native call, such as SQLite writing a
 * large store anew. `process.exit` waits for them, however long that takes.
 *
 * Guarantees: a process that has none is left alone. One that has ends at once, by SIGKILL, which it
 * must survive at any moment anyway: what the call was about is finished by whoever leads next. Call
 * it last: what was not written until then is not.
 */

const stuck = new Set<object>();

export function noteStuckThread(thread: { once(event: "exit", act: () => void): unknown }): void {
  stuck.add(thread);
  thread.once("exit", () => stuck.delete(thread));
}

/** Does not return where a thread is stuck. */
export function endDespiteStuckThreads(): void {
  if (stuck.size > 0) process.kill(process.pid, "SIGKILL");
}
