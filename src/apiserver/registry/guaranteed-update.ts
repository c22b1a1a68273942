import { conflict, type KubeObject, staleResourceVersion } from "../../machinery/index.ts";
import { type Entry, StaleError } from "../../store/index.ts";
import { updateRetriesMax } from "../limits.ts";
import type { KindStorage } from "./kind-storage.ts";

/** What is to become of a key, decided from its current entry. */
export type Write =
  | { do: "put"; object: KubeObject }
  /** `last`: what watchers see as the deleted object. */
  | { do: "delete"; last: KubeObject }
  /** A write that changes nothing is none: no revision, no event. */
  | { do: "nothing" };

export type Written =
  | { did: "put"; entry: Entry }
  | { did: "delete"; entry: Entry }
  | { did: "nothing"; entry: Entry | undefined };

/**
 * Reads a key, lets `decide` make its next state, and writes that if nobody else wrote in between; else again, with
 * what the other left. `decide` throws a conflict itself when the client asked for a certain revision.
 *
 * Counterpart upstream: `storage.Interface.GuaranteedUpdate`.
 */
export async function guaranteedUpdate(
  storage: KindStorage,
  key: string,
  name: string,
  decide: (current: Entry | undefined) => Promise<Write> | Write,
): Promise<Written> {
  let current = await storage.get(key);
  for (let tries = 0; tries < updateRetriesMax; tries++) {
    const write = await decide(current);
    const expect = current?.revision ?? 0;
    try {
      switch (write.do) {
        case "nothing":
          return { did: "nothing", entry: current };
        case "put":
          return { did: "put", entry: await storage.put(key, write.object, expect) };
        case "delete":
          return { did: "delete", entry: await storage.delete(key, write.last, expect) };
      }
    } catch (error) {
      if (!(error instanceof StaleError)) throw error;
      current = error.current;
    }
  }
  throw conflict(storage.groupResource, name, staleResourceVersion);
}
