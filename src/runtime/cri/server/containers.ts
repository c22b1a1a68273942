import { type ContainerConfig, type ContainerStatus, RuntimeError } from "../../contract.ts";
import {
  containerFromCri,
  containerListEntry,
  containerStatusToCri,
  namespacesFromCri,
  resourcesFromCri,
  sandboxFromCri,
} from "../translate/index.ts";
import type { Message } from "../wire/index.ts";
import { type CriContext, findContainer, hasLabels, requireContainer, requireSandbox } from "./context.ts";
import type { Handlers } from "./grpc.ts";
import { chunks } from "./sandboxes.ts";

/** Both of a command's streams must fit one message of gRPC's. */
const execSyncBytesMax = 7 * 1024 * 1024;

export function containerHandlers(context: CriContext) {
  const { runtime, events } = context;
  const list = async (filter: Message<"ContainerFilter"> | null) =>
    (await runtime.listContainers())
      .filter((container) => isWanted(container, filter))
      .map(containerListEntry);
  const require = (id: string) => requireContainer(context, id);
  return {
    async CreateContainer({ podSandboxId, config, sandboxConfig }) {
      const sandbox = await requireSandbox(context, podSandboxId);
      if (!config?.image?.image) throw new RuntimeError("InvalidArgument", "a container needs an image");
      const pod = sandboxFromCri(sandboxConfig);
      requireSameNamespaces(config, sandboxConfig);
      const resolved = await withImages(
        context,
        containerFromCri(config, await imageId(context, config.image.image)),
      );
      const containerId = await runtime.createContainer(sandbox.id, resolved, pod);
      events.created(containerId, sandbox.id);
      return { containerId };
    },
    async StartContainer({ containerId }) {
      await runtime.startContainer((await require(containerId)).id);
      return {};
    },
    async StopContainer({ containerId, timeout }) {
      const container = await findContainer(context, containerId);
      if (container) await runtime.stopContainer(container.id, { graceS: Math.max(timeout, 0) });
      return {};
    },
    async RemoveContainer({ containerId }) {
      const container = await findContainer(context, containerId);
      if (!container) return {};
      await runtime.removeContainer(container.id);
      events.deleted(container.id, container.sandboxId);
      return {};
    },
    async ListContainers({ filter }) {
      return { containers: await list(filter) };
    },
    async *StreamContainers({ filter }) {
      for (const containers of chunks(await list(filter))) yield { containers };
    },
    async ContainerStatus({ containerId, verbose }) {
      const container = await require(containerId);
      const { sandboxId: sandboxID, pid } = container;
      return {
        status: containerStatusToCri(container),
        ...(verbose && { info: { info: JSON.stringify({ sandboxID, pid }) } }),
      };
    },
    async UpdateContainerResources({ containerId, linux }) {
      await runtime.updateContainerResources((await require(containerId)).id, resourcesFromCri(linux));
      return {};
    },
    async ReopenContainerLog({ containerId }) {
      await runtime.reopenContainerLog((await require(containerId)).id);
      return {};
    },
    async ExecSync({ containerId, cmd, timeout }) {
      if (cmd.length === 0) throw new RuntimeError("InvalidArgument", "a command is required");
      const { id } = await require(containerId);
      return runtime.execSync(id, cmd, {
        outputBytesMax: execSyncBytesMax,
        ...(timeout > 0 && { timeoutMs: timeout * 1000 }),
      });
    },
  } satisfies Handlers<"RuntimeService">;
}

async function imageId({ runtime }: CriContext, name: string): Promise<string> {
  const image = await runtime.images.status(name);
  if (!image) throw new RuntimeError("NotFound", `image ${JSON.stringify(name)} not found`);
  return image.id;
}

/** An image volume names its image as it likes; the engine wants its id. */
async function withImages(context: CriContext, config: ContainerConfig): Promise<ContainerConfig> {
  if (!config.mounts.some((mount) => mount.imageId)) return config;
  const mounts = config.mounts.map(async (mount) =>
    mount.imageId ? { ...mount, imageId: await imageId(context, mount.imageId) } : mount,
  );
  return { ...config, mounts: await Promise.all(mounts) };
}

/** The contract has a container's namespaces decided by its sandbox. */
function requireSameNamespaces(
  config: Message<"ContainerConfig">,
  sandbox: Message<"PodSandboxConfig"> | null,
): void {
  const own = config.linux?.securityContext?.namespaceOptions;
  if (!own) return;
  const ofPod = namespacesFromCri(sandbox?.linux?.securityContext?.namespaceOptions ?? null);
  const { network, ipc, pid } = namespacesFromCri(own);
  if (network === ofPod.network && ipc === ofPod.ipc && pid === ofPod.pid) return;
  throw new RuntimeError("InvalidArgument", "a container's namespace_options must be those of its sandbox");
}

function isWanted(container: ContainerStatus, filter: Message<"ContainerFilter"> | null): boolean {
  if (!filter) return true;
  return (
    container.id.startsWith(filter.id) &&
    container.sandboxId.startsWith(filter.podSandboxId) &&
    (!filter.state || filter.state.state === containerListEntry(container).state) &&
    hasLabels(container.labels, filter.labelSelector)
  );
}
