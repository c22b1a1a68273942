import { existsSync } from "node:fs";
import { type PodSandboxConfig, RuntimeError, type RuntimeHandler } from "../contract.ts";
import { isKernelAtLeast } from "../linux/kernel-release.ts";
import { runTool } from "../linux/tool.ts";
import { supportsUserNamespaces } from "../linux/user-namespace.ts";
import type { CgroupDriver, RuntimeKind } from "./cgroups/driver.ts";
import type { EngineContext } from "./context.ts";
import type { ContainerRecord, SandboxRecord } from "./records.ts";
import type { HostFacts } from "./spec/spec.ts";

/** A runtime that pods can be run by, under the name that a RuntimeClass gives. */
export interface Handler {
  name: string;
  path: string;
  kind: RuntimeKind;
  /** As this runtime needs its cgroups made. */
  cgroups: CgroupDriver;
}

/** What the engine looks for, by name; each is a handler where it is installed. The first is also the default. */
const knownRuntimes = ["crun", "runc", "runsc"] as const satisfies readonly RuntimeKind[];

/**
 * gVisor in the way that runs anywhere: without KVM, its files through the gofer, and its network that of the pod's own
 * namespace, where containers of one pod (a sandbox each) find each other on localhost, and port-forward finds them.
 */
const gvisorArgs = ["--platform=ptrace", "--network=host", "--file-access=shared", "--oci-seccomp"];

const programFolders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

export function lookUpProgram(program: string): string | undefined {
  return programFolders.map((folder) => `${folder}/${program}`).find((path) => existsSync(path));
}

export interface RuntimeBinary {
  path: string;
  kind: RuntimeKind;
  version: string;
}

/** The runtime at `path`, or the first of those known that is installed and takes pods as they come. */
export async function findDefaultRuntime(path: string | undefined): Promise<RuntimeBinary> {
  const found = path ?? lookUpProgram("crun") ?? lookUpProgram("runc");
  if (!found) throw new RuntimeError("Unsupported", 'crun is not installed: on Debian, "apt install crun"');
  const text = await runTool(found, ["--version"]);
  const [kind, version] = /^(crun|runc|runsc) version (\S+)/.exec(text)?.slice(1) ?? [];
  if (!kind || !version) {
    throw new RuntimeError(
      "Unsupported",
      `"${found}" is neither crun, runc nor runsc: ${text.split("\n")[0]}`,
    );
  }
  return { path: found, kind: kind as RuntimeKind, version };
}

/** Those that are installed, and the default one once more without a name. */
export async function findHandlers(
  standard: RuntimeBinary,
  cgroupsFor: (kind: RuntimeKind) => Promise<CgroupDriver>,
): Promise<ReadonlyMap<string, Handler>> {
  const handlers = new Map<string, Handler>();
  const drivers = new Map<RuntimeKind, CgroupDriver>();
  const add = async (name: string, kind: RuntimeKind, path: string) => {
    const cgroups = drivers.get(kind) ?? (await cgroupsFor(kind));
    drivers.set(kind, cgroups);
    handlers.set(name, { name, kind, path, cgroups });
  };
  await add("", standard.kind, standard.path);
  for (const kind of knownRuntimes) {
    const path = kind === standard.kind ? standard.path : lookUpProgram(kind);
    if (path) await add(kind, kind, path);
  }
  return handlers;
}

/** Newer ones are words that gVisor does not know, and does not start with. */
const unknownToGvisor = new Set(["CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"]);

/** What of the host a runtime can hand on to a container. */
export function factsFor(kind: RuntimeKind, facts: HostFacts): HostFacts {
  if (kind !== "runsc") return facts;
  return { ...facts, capabilities: facts.capabilities.filter((name) => !unknownToGvisor.has(name)) };
}

/** As a node's status tells them. */
export function handlerFeatures({ host }: EngineContext, { name, kind }: Handler): RuntimeHandler {
  const canMapUsers = host.syscalls !== undefined && supportsUserNamespaces();
  return {
    name,
    features: {
      // By mount_setattr(2).
      recursiveReadOnlyMounts: kind !== "runsc" && isKernelAtLeast(5, 12),
      userNamespaces: kind !== "runsc" && canMapUsers,
    },
  };
}

/** In containerd's words, which people search for. */
export function requireHandler(
  { handlers }: Pick<EngineContext, "handlers">,
  config: PodSandboxConfig,
): Handler {
  const name = config.runtimeHandler ?? "";
  const handler = handlers.get(name);
  if (!handler) {
    throw new RuntimeError(
      "InvalidArgument",
      `failed to get sandbox runtime: no runtime for ${JSON.stringify(name)} is configured`,
    );
  }
  if (handler.kind === "runsc") refuseWhatGvisorLacks(config);
  return handler;
}

/** Each container has a kernel of its own under gVisor: nothing of the host's, or of a neighbour's, is in it. */
function refuseWhatGvisorLacks({ linux: { namespaces, sysctls } }: PodSandboxConfig): void {
  const refused = (what: string) => {
    throw new RuntimeError("Unsupported", `the runtime handler "runsc" (gVisor) does not support ${what}`);
  };
  if (namespaces.pid === "pod") refused("shareProcessNamespace");
  if (namespaces.pid === "node") refused("hostPID");
  if (namespaces.ipc === "node") refused("hostIPC");
  if (namespaces.user) refused("user namespaces (hostUsers: false)");
  const ipcSysctl = Object.keys(sysctls).find((name) => !/^net[./]/.test(name));
  if (ipcSysctl) refused(`the sysctl ${ipcSysctl}`);
}

/** The engine as the sandbox's runtime has it: that runtime, and its cgroups. */
export function contextOf(
  context: EngineContext,
  sandbox: Pick<SandboxRecord, "config"> | undefined,
): EngineContext {
  const name = sandbox?.config.runtimeHandler ?? "";
  if (name === "") return context;
  const handler = context.handlers.get(name);
  // Uninstalled under its pods: what they left is cleared away by the default one.
  return handler ? { ...context, runtime: handler, cgroups: handler.cgroups } : context;
}

export function contextOfContainer(
  context: EngineContext,
  { sandboxId }: Pick<ContainerRecord, "sandboxId">,
): EngineContext {
  return contextOf(context, context.records.sandboxes.get(sandboxId));
}

/** The runtime's command line, up to its subcommand. */
export function runtimeCommand({ runtime, layout, cgroups }: EngineContext): string[] {
  return [
    runtime.path,
    `--root=${layout.runtimeRoot}`,
    ...cgroups.runtimeArgs,
    ...(runtime.kind === "runsc" ? gvisorArgs : []),
  ];
}
