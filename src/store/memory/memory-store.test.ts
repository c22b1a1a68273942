import { storeContract } from "../contract.suite.ts";
import { createMemoryStore } from "./memory-store.ts";

storeContract({
  name: "memory",
  open: async (clock) => {
    const store = createMemoryStore({ clock });
    return { store, dispose: () => store.close() };
  },
});
