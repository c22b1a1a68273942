import { spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { execPath } from "node:process";
import { Duplex } from "node:stream";
import { RuntimeError } from "../contract.ts";
import { tcpDescriptor } from "../linux/descriptors.ts";
import { insideNamespaces } from "../linux/host.ts";
import type { EngineContext } from "./context.ts";
import type { SandboxRecord } from "./records.ts";

/** The pod's localhost, IPv4 first, as containerd and CRI-O try them. */
const loopbacks = [
  { family: 4, host: "127.0.0.1" },
  { family: 6, host: "::1" },
] as const;

/** A TCP connection to the pod's localhost. */
export async function forwardPort(
  context: EngineContext,
  sandbox: SandboxRecord,
  port: number,
): Promise<Duplex> {
  const ownNetwork = sandbox.config.linux.namespaces.network === "pod";
  const netns = context.layout.namespace(sandbox.id, "net");
  if (ownNetwork && !context.host.syscalls) return connectByChild(netns, port);
  let refusal: unknown;
  for (const { family, host } of loopbacks) {
    try {
      const socket = ownNetwork ? socketInside(context, netns, family) : new Socket();
      socket.connect({ port, host });
      await once(socket, "connect");
      socket.setNoDelay();
      return socket;
    } catch (error) {
      refusal = error;
    }
  }
  throw new RuntimeError(
    "Internal",
    `failed to connect to localhost:${port} inside namespace "${sandbox.config.metadata.name}": ${(refusal as Error).message}`,
  );
}

/** A socket belongs for ever to the namespace it was made in, wherever it is connected from. */
function socketInside(context: EngineContext, netns: string, family: 4 | 6): Socket {
  const syscalls = context.host.syscalls!;
  const fd = insideNamespaces(syscalls, { net: netns }, () => tcpDescriptor(syscalls, family));
  // Not reading before it is connected: `manualStart` is what Node's own terminals use.
  return new Socket({ fd, manualStart: true } as ConstructorParameters<typeof Socket>[0]);
}

/** Where this process cannot enter a namespace, one of Node's own does, and passes the bytes on. */
function connectByChild(netns: string, port: number): Duplex {
  const script =
    `const s=require("net").connect(${port},"127.0.0.1");` +
    `s.on("error",()=>process.exit(1));process.stdin.pipe(s);s.pipe(process.stdout)`;
  const child = spawn("nsenter", [`--net=${netns}`, execPath, "-e", script], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const duplex = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.on("error", (error) => duplex.destroy(error));
  duplex.on("close", () => child.kill());
  return duplex;
}
