// Where the bench writes: a fresh journalled ext4 in a file where this user may mount one, else the
// temp directory. And what the machine is, since figures mean nothing without it.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statfsSync } from "node:fs";
import { arch, availableParallelism, cpus, release, tmpdir, type } from "node:os";
import { join } from "node:path";

const IMAGE_BYTES = 4 * 1024 ** 3; // sparse: only what is written takes room
const BYTES_PER_INODE = 8_192;

function run(program, ...args) {
  execFileSync(program, args, { stdio: "pipe", timeout: 120_000 });
}

/** @returns {{dir: string, description: string, close(): void}} */
export function openWorkspace() {
  const base = mkdtempSync(join(realpathSync(tmpdir()), "memspool-bench-"));
  let mounted = false;
  let closed = false;
  const mountPoint = join(base, "mount");
  const close = () => {
    if (closed) return;
    closed = true;
    // After a failure files may still be open; lazily, the mount goes when this process does.
    if (mounted) run("umount", "--lazy", mountPoint);
    rmSync(base, { recursive: true, force: true });
  };
  try {
    if (process.platform !== "linux" || process.getuid() !== 0)
      throw new Error("not root on Linux");
    const room = statfsSync(base);
    if (room.bavail * room.bsize < IMAGE_BYTES) throw new Error("less than 4 GiB free");
    const image = join(base, "ext4.img");
    run("truncate", "-s", String(IMAGE_BYTES), image);
    // Lazy initialisation would go on in the background of the first measurements.
    run(
      ...["mkfs.ext4", "-q", "-F", "-O", "has_journal", "-i", String(BYTES_PER_INODE)],
      ...["-E", "lazy_itable_init=0,lazy_journal_init=0", image],
    );
    mkdirSync(mountPoint);
    run("mount", "-o", "loop", image, mountPoint);
    mounted = true;
    return {
      dir: mountPoint,
      description: `fresh ext4 with journal, loop mount; ${mountOf(mountPoint)}`,
      close,
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    return { dir: base, description: `${mountOf(base)} (no loop mount: ${reason})`, close };
  }
}

/** Type and options of the file system that holds the path. */
function mountOf(path) {
  if (process.platform !== "linux") return "file system unknown";
  const mounts = readFileSync("/proc/self/mounts", "utf8").trim().split("\n");
  const [best] = mounts
    .map((line) => line.split(" "))
    .filter(([, point]) => path === point || path.startsWith(point === "/" ? "/" : `${point}/`))
    .sort((a, b) => b[1].length - a[1].length);
  return best ? `${best[2]} (${best[3]})` : "file system unknown";
}

export function describeMachine() {
  return {
    kernel: `${type()} ${release()} ${arch()}`,
    node: process.version,
    cpus: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown"}`,
    threadPool: process.env.UV_THREADPOOL_SIZE,
  };
}
