/**
 * One process's picture of what is being forgotten, by whichever process's order.
 *
 * Guarantees: `current` knows every order that was durable before it was called and is not carried out;
 * orders are read once each, and the directory is listed again only when it changed. As long as
 * nothing was ever forgotten it costs one look at a name. An order that can not be read hides nothing
 * and is carried out by nobody; the ingester tells of it. Changes nothing on disk.
 */
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import { decodeOrder, orderPath, sortOrders } from "./forget-order.ts";
import type { QueueLayout } from "./layout.ts";
import { WatchedNames } from "./watched-names.ts";

const NOBODY: ReadonlySet<string> = new Set();

export class ForgetView {
  readonly #fs: DurableFs;
  readonly #layout: QueueLayout;
  readonly #names: WatchedNames<readonly string[]>;
  #orders = new Map<string, readonly string[]>();
  #listed: readonly string[] = [];
  #hidden: ReadonlySet<string> = NOBODY;

  constructor(fs: DurableFs, layout: QueueLayout, clock: Clock) {
    this.#fs = fs;
    this.#layout = layout;
    this.#names = new WatchedNames({ fs, clock, directory: layout.forgetDir, sort: sortOrders });
  }

  /** Requests under way, oldest first. @throws the system error of the directory */
  requests(): Promise<readonly string[]> {
    return this.#names.current();
  }

  /** Ids that nobody is shown any more. @throws the system error of the directory or of an order */
  async hidden(): Promise<ReadonlySet<string>> {
    const requests = await this.#names.current();
    if (requests.length === 0) return NOBODY;
    if (requests === this.#listed) return this.#hidden;
    const orders = new Map<string, readonly string[]>();
    for (const request of requests) {
      orders.set(request, this.#orders.get(request) ?? (await this.#read(request)));
    }
    this.#orders = orders;
    this.#hidden = new Set([...orders.values()].flat());
    this.#listed = requests;
    return this.#hidden;
  }

  async #read(request: string): Promise<readonly string[]> {
    try {
      const bytes = await this.#fs.read(orderPath(this.#layout, request));
      return decodeOrder(bytes, request)?.ulids ?? [];
    } catch (error) {
      if (isErrno(error, "ENOENT", "EISDIR", "ELOOP")) return []; // carried out meanwhile, or no file
      throw error;
    }
  }
}
