import type { PodSandboxStatus } from "../../contract.ts";
import {
  resourcesFromCri,
  sandboxFromCri,
  sandboxListEntry,
  sandboxStatusToCri,
} from "../translate/index.ts";
import type { Message } from "../wire/index.ts";
import { type CriContext, findSandbox, hasLabels, requireSandbox } from "./context.ts";
import type { Handlers } from "./grpc.ts";

/** Entries in one message of a streamed list, so that none nears gRPC's limit. */
const entriesPerMessage = 100;

export function sandboxHandlers(context: CriContext) {
  const { runtime, events } = context;
  const list = async (filter: Message<"PodSandboxFilter"> | null) =>
    (await runtime.listPodSandboxes()).filter((sandbox) => isWanted(sandbox, filter)).map(sandboxListEntry);
  return {
    async RunPodSandbox({ config, runtimeHandler }, signal) {
      const asked = { ...sandboxFromCri(config), ...(runtimeHandler && { runtimeHandler }) };
      return { podSandboxId: await runtime.runPodSandbox(asked, signal) };
    },
    async StopPodSandbox({ podSandboxId }) {
      const sandbox = await findSandbox(context, podSandboxId);
      if (sandbox) await runtime.stopPodSandbox(sandbox.id);
      return {};
    },
    async RemovePodSandbox({ podSandboxId }) {
      const sandbox = await findSandbox(context, podSandboxId);
      if (!sandbox) return {};
      const containers = await runtime.listContainers({ sandboxId: sandbox.id });
      await runtime.removePodSandbox(sandbox.id);
      for (const { id } of containers) events.deleted(id, sandbox.id);
      return {};
    },
    async UpdatePodSandboxResources({ podSandboxId, resources }) {
      const sandbox = await requireSandbox(context, podSandboxId);
      await runtime.updatePodSandboxResources(sandbox.id, resourcesFromCri(resources));
      return {};
    },
    async PodSandboxStatus({ podSandboxId, verbose }) {
      const sandbox = await requireSandbox(context, podSandboxId);
      const containers = await runtime.listContainers({ sandboxId: sandbox.id });
      return {
        status: sandboxStatusToCri(sandbox),
        ...(verbose && { info: { info: JSON.stringify({ containers: containers.map(({ id }) => id) }) } }),
      };
    },
    async ListPodSandbox({ filter }) {
      return { items: await list(filter) };
    },
    async *StreamPodSandboxes({ filter }) {
      for (const podSandboxes of chunks(await list(filter))) yield { podSandboxes };
    },
  } satisfies Handlers<"RuntimeService">;
}

function isWanted(sandbox: PodSandboxStatus, filter: Message<"PodSandboxFilter"> | null): boolean {
  if (!filter) return true;
  const state = sandbox.state === "ready" ? "SANDBOX_READY" : "SANDBOX_NOTREADY";
  return (
    sandbox.id.startsWith(filter.id) &&
    (!filter.state || filter.state.state === state) &&
    hasLabels(sandbox.labels, filter.labelSelector)
  );
}

export function* chunks<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += entriesPerMessage) yield all.slice(at, at + entriesPerMessage);
}
