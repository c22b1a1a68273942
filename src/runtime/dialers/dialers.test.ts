import { SystemClock } from "../../base/index.ts";
import { dialerSuite } from "./dialer.suite.ts";
import { NodeDialer } from "./node-dialer.ts";
import { QuickDialer } from "./quick-dialer.ts";
import { loadTcpCalls } from "./tcp-calls.ts";

dialerSuite("Node's sockets", async () => new NodeDialer(new SystemClock()));

const calls = await loadTcpCalls();
if (calls) dialerSuite("system calls", async () => new QuickDialer(calls, new SystemClock()));
