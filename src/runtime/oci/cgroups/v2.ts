import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import type { Clock } from "../../../base/index.ts";
import type { LinuxResources } from "../../contract.ts";
import {
  type CgroupDriver,
  type ContainerCgroup,
  cgroupMount,
  ociDeviceRules,
  type RuntimeKind,
} from "./driver.ts";
import {
  cgroupsBelow,
  keyedValue,
  killBelow,
  makeCgroup,
  readCgroupFile,
  removeBelow,
  removeIfEmpty,
  writeCgroupFile,
} from "./files.ts";
import { launchedIn } from "./launch.ts";
import { cpuWeight, ociResources, withoutHugepages, writesV2 } from "./resources.ts";
import { usageV2 } from "./stats.ts";

/** What a pod may be limited by; the kubelet asks for the same. */
const wantedControllers = ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"];

const sharesPerCpu = 1024;

const runtimeArgs = {
  crun: ["--cgroup-manager=cgroupfs"],
  runc: [],
  runsc: ["--ignore-cgroups"],
} as const satisfies Record<RuntimeKind, readonly string[]>;

/**
 * cgroup v2 alone: the runtime makes a container's cgroup, limits it and loads the device filter; the agent makes
 * those of pods, with the controllers handed down.
 */
export function createV2Driver(options: {
  mount: string;
  root: string;
  runtime: RuntimeKind;
  /** Whether the runtime may load one: it needs CAP_SYS_RESOURCE. */
  deviceFilter: boolean;
  clock: Clock;
}): CgroupDriver {
  const { mount, root, runtime, deviceFilter, clock } = options;
  const at = (cgroup: string) => `${mount}/${cgroup}`;
  /** gVisor knows nothing of the host's cgroups: the agent sees to them. */
  const isManaged = runtime !== "runsc";

  /** A runtime fails on limits whose controller the kernel lacks. */
  const known = (resources: LinuxResources): LinuxResources => {
    const controllers = (readCgroupFile(`${mount}/cgroup.controllers`) ?? "").trim().split(" ");
    return controllers.includes("hugetlb") ? resources : withoutHugepages(resources);
  };

  /** Hands every wanted controller down to the children of `path`. */
  const enableControllers = (path: string) => {
    const offered = (readCgroupFile(`${path}/cgroup.controllers`) ?? "").trim().split(" ");
    const enabled = (readCgroupFile(`${path}/cgroup.subtree_control`) ?? "").trim().split(" ");
    const missing = wantedControllers.filter((name) => offered.includes(name) && !enabled.includes(name));
    if (missing.length === 0) return;
    writeCgroupFile(`${path}/cgroup.subtree_control`, missing.map((name) => `+${name}`).join(" "));
  };
  const apply = (cgroup: string, resources: LinuxResources) => {
    for (const { file, value, optional } of writesV2(resources)) {
      const path = `${at(cgroup)}/${file}`;
      if (optional && !existsSync(path)) continue;
      writeCgroupFile(path, value);
    }
  };

  // As the kubelet does for `kubepods`: a weight by the number of processors.
  for (const cgroup of [root, `${root}/kubepods`]) {
    makeCgroup(at(cgroup));
    enableControllers(dirname(at(cgroup)));
    const weight = cpuWeight(sharesPerCpu * availableParallelism());
    if (existsSync(`${at(cgroup)}/cpu.weight`)) writeCgroupFile(`${at(cgroup)}/cpu.weight`, String(weight));
  }

  return {
    version: "v2",
    runtimeArgs: runtimeArgs[runtime],

    createPod(cgroup, resources) {
      let path = mount;
      enableControllers(path);
      for (const part of cgroup.split("/")) {
        path = `${path}/${part}`;
        makeCgroup(path);
        enableControllers(path);
      }
      if (resources) apply(cgroup, resources);
    },

    createContainer(cgroup, { resources }) {
      if (isManaged) return;
      makeCgroup(at(cgroup));
      apply(cgroup, resources);
    },

    spec(cgroup, { resources, devices }: ContainerCgroup, access) {
      return {
        cgroupsPath: `/${cgroup}`,
        resources: {
          ...ociResources(known(resources)),
          ...(deviceFilter && { devices: ociDeviceRules(devices) }),
        },
        mounts: [cgroupMount(access)],
        namespace: true,
      };
    },

    launcher: (cgroup) => (isManaged ? [] : launchedIn([`${at(cgroup)}/cgroup.procs`])),
    execLauncher: (cgroup, name) => (isManaged ? [] : launchedIn([`${at(cgroup)}/${name}/cgroup.procs`])),
    execRuntimeArgs: (name) => (isManaged ? [`--cgroup=${name}`] : []),
    prepareExec(cgroup, name) {
      makeCgroup(`${at(cgroup)}/${name}`);
    },
    async killExec(cgroup, name) {
      await killAll(`${at(cgroup)}/${name}`, clock);
    },
    removeExec(cgroup, name) {
      removeIfEmpty(`${at(cgroup)}/${name}`);
    },

    update: apply,

    stats: (cgroup, detail) => usageV2(at(cgroup), detail),
    oomKilled(cgroup) {
      return (keyedValue(readCgroupFile(`${at(cgroup)}/memory.events`), "oom_kill") ?? 0) > 0;
    },

    list: () => cgroupsBelow(mount, root),

    async kill(cgroup) {
      await killAll(at(cgroup), clock);
    },
    async remove(cgroup) {
      await removeBelow(at(cgroup), clock);
    },
  };
}

async function killAll(path: string, clock: Clock): Promise<void> {
  try {
    // One write kills the whole tree, forks included, since Linux 5.14.
    writeCgroupFile(`${path}/cgroup.kill`, "1");
  } catch {
    // Gone, or an older kernel.
  }
  await killBelow(path, clock);
}
