import { join } from "node:path";
import { openStore } from "../../src/store/open-store.ts";
import { storeContract } from "./store-contract.ts";

storeContract("SQLite", (dir) => openStore({ file: join(dir, "store", "memspool.db") }));
