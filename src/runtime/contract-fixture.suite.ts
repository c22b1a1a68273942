import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type {
  ContainerConfig,
  ContainerStatus,
  PodSandboxConfig,
  Runtime,
  SecurityContext,
} from "./contract.ts";

/** An engine to put to the test; it has an image with busybox. */
export interface ContractBed {
  runtime: Runtime;
  /** Of the test alone: logs and volumes go below it. */
  dir: string;
  /** `busybox`, by its id. */
  imageId: string;
  /** Whether containers are real processes. */
  runs: "processes" | "nothing";
  /** On a busy machine, and cgroup v1: containerd's shim drops what it has not told when the cgroup goes. */
  losesOomKills?: boolean;
  close(): Promise<void>;
}

let uids = 0;

export function podOf(bed: Pick<ContractBed, "dir">, attempt = 0): PodSandboxConfig {
  const uid = `00000000-0000-4000-8000-${String(process.pid * 1000 + ++uids).padStart(12, "0")}`;
  const logDirectory = join(bed.dir, "logs", uid);
  mkdirSync(logDirectory, { recursive: true });
  return {
    metadata: { name: `pod-${uids}`, namespace: "default", uid, attempt },
    hostname: `pod-${uids}`,
    logDirectory,
    dns: { servers: ["10.96.0.10"], searches: ["default.svc.cluster.local"], options: ["ndots:5"] },
    portMappings: [],
    labels: { app: "suite" },
    annotations: { "example.com/note": "kept" },
    linux: {
      cgroupParent: `kubepods/besteffort/pod${uid}`,
      sysctls: {},
      namespaces: { network: "pod", ipc: "pod", pid: "container" },
      privileged: false,
    },
  };
}

export function containerOf(
  bed: Pick<ContractBed, "imageId">,
  command: readonly string[],
  changes: Partial<Omit<ContainerConfig, "linux">> & {
    security?: Partial<SecurityContext>;
    resources?: ContainerConfig["linux"]["resources"];
  } = {},
): ContainerConfig {
  const { security, resources, ...rest } = changes;
  return {
    metadata: { name: "main", attempt: 0 },
    imageId: bed.imageId,
    imageName: "busybox",
    command: [...command],
    env: [],
    mounts: [],
    labels: { tier: "main" },
    annotations: { "example.com/hash": "abc" },
    logPath: "main_0.log",
    stdin: false,
    stdinOnce: false,
    tty: false,
    ...rest,
    linux: {
      resources: resources ?? {},
      security: {
        privileged: false,
        supplementalGroups: [],
        readOnlyRootfs: false,
        noNewPrivileges: false,
        capabilities: { add: [], drop: [] },
        seccomp: { type: "RuntimeDefault" },
        procMount: "Default",
        ...security,
      },
    },
  };
}

/** The container's status once it has ended. */
export function untilExited(runtime: Runtime, containerId: string): Promise<ContainerStatus> {
  return new Promise((resolve, reject) => {
    const look = async () => {
      const status = await runtime.containerStatus(containerId);
      if (status?.state !== "exited") return;
      stop();
      resolve(status);
    };
    const stop = runtime.onEvent((event) => {
      if (event.type === "exited" && event.containerId === containerId) look().catch(reject);
    });
    look().catch(reject);
  });
}
