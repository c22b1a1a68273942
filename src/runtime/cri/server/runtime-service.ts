import { RuntimeError } from "../../contract.ts";
import { containerHandlers } from "./containers.ts";
import { type CriContext, requireContainer, requireSandbox } from "./context.ts";
import type { Handlers } from "./grpc.ts";
import { sandboxHandlers } from "./sandboxes.ts";
import { statsHandlers } from "./stats.ts";
import type { StreamServer } from "./streams.ts";

const apiVersion = "v1";

/**
 * All of RuntimeService but CheckpointContainer, which the contract does not have: clients get `Unimplemented` for it,
 * and know what to do.
 */
export function runtimeHandlers(context: CriContext, streams: StreamServer): Handlers<"RuntimeService"> {
  const { runtime, events, log } = context;
  return {
    ...sandboxHandlers(context),
    ...containerHandlers(context),
    ...statsHandlers(context),
    async Version() {
      const { name, version } = await runtime.version();
      return {
        version: "0.1.0",
        runtimeName: name,
        runtimeVersion: version,
        runtimeApiVersion: apiVersion,
      };
    },
    async Status() {
      const { ready, message } = await runtime.status();
      return {
        status: {
          conditions: [
            { type: "RuntimeReady", status: true },
            {
              type: "NetworkReady",
              status: ready,
              ...(!ready && { reason: "NetworkPluginNotReady", message }),
            },
          ],
        },
        runtimeHandlers: await runtime.handlers(),
        features: { supplementalGroupsPolicy: true },
      };
    },
    async UpdateRuntimeConfig({ runtimeConfig }) {
      // As CRI-O: the network has its range from its own configuration.
      const podCidr = runtimeConfig?.networkConfig?.podCidr;
      if (podCidr) log.info({ podCidr }, "the node's pod range is the network's own matter: not taken over");
      return {};
    },
    async RuntimeConfig() {
      return { linux: { cgroupDriver: "CGROUPFS" } };
    },
    GetContainerEvents: (_, signal) => events.watch(signal),
    async Exec(request) {
      requireStreams(request);
      if (request.cmd.length === 0) throw new RuntimeError("InvalidArgument", "a command is required");
      const container = await requireContainer(context, request.containerId);
      return { url: streams.urlFor({ do: "exec", request: { ...request, containerId: container.id } }) };
    },
    async Attach(request) {
      requireStreams(request);
      const container = await requireContainer(context, request.containerId);
      return { url: streams.urlFor({ do: "attach", request: { ...request, containerId: container.id } }) };
    },
    async PortForward(request) {
      const sandbox = await requireSandbox(context, request.podSandboxId);
      return {
        url: streams.urlFor({ do: "portforward", request: { ...request, podSandboxId: sandbox.id } }),
      };
    },
  };
}

function requireStreams(request: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean }): void {
  if (!request.stdin && !request.stdout && !request.stderr)
    throw new RuntimeError("InvalidArgument", "one of stdin, stdout and stderr must be set");
  if (request.tty && request.stderr)
    throw new RuntimeError("InvalidArgument", "a terminal has no stderr of its own");
}
