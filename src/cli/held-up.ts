/** What a person reads while bulk work waits for pressure to pass. */
import type { Output, Progress } from "./output.ts";

const WHY: Readonly<Record<string, string>> = {
  quota: "there is no room on disk",
  line: "there is no room on disk, and others wait for it",
  early_drop: "the queue is filling up",
  memory: "memory is short",
};

/** For the options of an import; the bar comes back with the next line that is taken. */
export function tellHeldUp(output: Output, bar: Progress): (reason: string | undefined) => void {
  return (reason) => {
    bar.stop();
    if (reason === undefined) output.note("going on");
    else output.note(`waiting: ${WHY[reason] ?? reason}; see memspool status. Ctrl-C ends it.`);
  };
}
