import type { Clock } from "../../base/index.ts";
import type { Dialer } from "../dialer.ts";
import { NodeDialer } from "./node-dialer.ts";
import { QuickDialer } from "./quick-dialer.ts";
import { loadTcpCalls } from "./tcp-calls.ts";

export async function openDialer(clock: Clock): Promise<Dialer> {
  const calls = await loadTcpCalls();
  return calls ? new QuickDialer(calls, clock) : new NodeDialer(clock);
}
