import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Clock } from "../../../base/index.ts";
import type { LinuxResources } from "../../contract.ts";
import {
  type CgroupDriver,
  type ContainerCgroup,
  cgroupMount,
  type DeviceRule,
  defaultDeviceRules,
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
import { type CgroupWrite, ociResources, writesV1 } from "./resources.ts";

/** Where each controller's hierarchy is mounted; several may share one. */
export type Hierarchies = Readonly<Record<string, string>>;

/**
 * A shell that puts itself into cgroups and becomes the command. A thread that moves itself needs no lock of the whole
 * machine, while moving another process waits for an RCU grace period: 14 ms, in the agent's event loop.
 */
const moveAndRun = [
  "/bin/sh",
  "-ec",
  'while [ "$1" != -- ]; do echo 0 >"$1"; shift; done; shift; exec "$@"',
  "sh",
];
const endOfTasks = "--";
const sharesPerCpu = 1024;

/** Every container has its own cgroup in these. */
const perContainer = ["cpu", "cpuacct", "memory", "pids"] as const;

/**
 * cgroup v1 (also beside a v2 mount): the agent makes the cgroups and moves processes into them, because crun
 * refuses a layout in which both versions are mounted.
 *
 * - The device rules that all containers share live in one cgroup, so that a container costs no rule writes.
 * - Only a container that asks for cpuset, huge pages or devices has cgroups in those hierarchies, below `ROOT/ID`.
 */
export function createV1Driver(options: {
  hierarchies: Hierarchies;
  root: string;
  runtime: RuntimeKind;
  clock: Clock;
}): CgroupDriver {
  const { hierarchies, root, clock } = options;
  const managed = options.runtime === "runc";
  const mounts = [...new Set(perContainer.map((controller) => hierarchies[controller]).filter(isPresent))];
  const at = (controller: string, cgroup: string) => {
    const mount = hierarchies[controller];
    return mount && `${mount}/${cgroup}`;
  };
  /** Flat: below no pod. */
  const own = (controller: string, cgroup: string) => at(controller, `${root}/${cgroup.split("/").at(-1)}`);
  const sharedDevices = at("devices", `${root}/default`);

  if (sharedDevices && !existsSync(sharedDevices)) {
    makeCgroup(sharedDevices);
    allowDevices(sharedDevices, defaultDeviceRules);
  }

  // As the kubelet does for `kubepods`: all pods together weigh as much as the machine has processors, where each
  // process outside weighs as one.
  for (const cgroup of [root, `${root}/kubepods`]) {
    const path = at("cpu", cgroup)!;
    makeCgroup(path);
    writeCgroupFile(`${path}/cpu.shares`, String(sharesPerCpu * availableParallelism()));
  }

  const write = (cgroup: string, { controller, file, value, optional }: CgroupWrite) => {
    const flat = controller === "cpuset" || controller === "hugetlb";
    const path = flat ? own(controller, cgroup) : at(controller, cgroup);
    if (!path || (optional && !existsSync(`${path}/${file}`))) return;
    writeCgroupFile(`${path}/${file}`, value);
  };
  const apply = (cgroup: string, resources: LinuxResources) => {
    const writes = writesV1(resources);
    try {
      for (const each of writes) write(cgroup, each);
    } catch {
      // memory.limit may not pass memory.memsw.limit at any moment: raising works in the other order.
      for (const each of writes.reverse()) write(cgroup, each);
    }
  };

  /** The `tasks` files of the cgroups that a container's processes belong to. */
  const tasksOf = (cgroup: string, exec?: string): string[] => {
    const pids = at("pids", cgroup);
    const shared = mounts.map((mount) => `${mount}/${cgroup}`);
    const flat = ["cpuset", "hugetlb"].map((controller) => own(controller, cgroup)).filter(isPresent);
    const devices = own("devices", cgroup);
    const paths = [
      ...(exec && pids ? [...shared.filter((path) => path !== pids), `${pids}/${exec}`] : shared),
      ...flat.filter((path) => existsSync(path)),
      ...(devices && existsSync(devices) ? [devices] : sharedDevices ? [sharedDevices] : []),
    ];
    return paths.map((path) => `${path}/tasks`);
  };

  return {
    version: "v1",
    runtimeArgs: managed ? [] : ["--cgroup-manager=disabled"],

    createPod(cgroup, resources) {
      for (const mount of mounts) makeCgroup(`${mount}/${cgroup}`);
      if (resources) apply(cgroup, resources);
    },

    createContainer(cgroup, { resources, devices }: ContainerCgroup) {
      if (managed) return;
      for (const mount of mounts) makeCgroup(`${mount}/${cgroup}`);
      if (resources.cpusetCpus) {
        const cpuset = own("cpuset", cgroup);
        const parent = at("cpuset", root);
        if (cpuset && parent) {
          makeCgroup(cpuset);
          // A new cpuset is empty, and takes no process until both are set.
          for (const path of [parent, cpuset]) {
            for (const file of ["cpuset.cpus", "cpuset.mems"]) {
              const above = path === parent ? hierarchies["cpuset"]! : parent;
              writeCgroupFile(`${path}/${file}`, (readCgroupFile(`${above}/${file}`) ?? "0").trim());
            }
          }
        }
      }
      if (resources.hugepages?.length) {
        const hugetlb = own("hugetlb", cgroup);
        if (hugetlb) makeCgroup(hugetlb);
      }
      const path = own("devices", cgroup);
      if (path && devices.length > 0 && !existsSync(path)) {
        makeCgroup(path);
        // A privileged container's has no rules, and so allows what the agent may.
        if (devices !== "all") allowDevices(path, [...defaultDeviceRules, ...devices]);
      }
      apply(cgroup, resources);
    },

    spec(cgroup, { resources, devices }, access) {
      if (managed) {
        return {
          cgroupsPath: `/${cgroup}`,
          resources: { ...ociResources(resources), devices: ociDeviceRules(devices) },
          mounts: [cgroupMount(access)],
          namespace: false,
        };
      }
      const shown = ["cpu", "cpuacct", "memory", "pids"].filter((controller) => hierarchies[controller]);
      return {
        mounts: [
          {
            destination: "/sys/fs/cgroup",
            type: "tmpfs",
            source: "tmpfs",
            options: ["nosuid", "noexec", "nodev", "mode=755", "size=64k"],
          },
          ...shown.map((controller) => ({
            destination: `/sys/fs/cgroup/${controller}`,
            type: "bind",
            source: at(controller, cgroup)!,
            options: ["bind", "nosuid", "noexec", "nodev", access],
          })),
        ],
        namespace: false,
      };
    },

    launcher: (cgroup) => (managed ? [] : [...moveAndRun, ...tasksOf(cgroup), endOfTasks]),
    execLauncher: (cgroup, name) => (managed ? [] : [...moveAndRun, ...tasksOf(cgroup, name), endOfTasks]),

    execRuntimeArgs: (name) => (managed ? [`--cgroup=pids:${name}`] : []),
    prepareExec(cgroup, name) {
      const path = at("pids", `${cgroup}/${name}`);
      if (path) makeCgroup(path);
    },
    async killExec(cgroup, name) {
      const path = at("pids", `${cgroup}/${name}`);
      if (path) await killBelow(path, clock);
    },
    removeExec(cgroup, name) {
      const path = at("pids", `${cgroup}/${name}`);
      if (path) removeIfEmpty(path);
    },

    update: apply,

    async stats(cgroup) {
      const usage = readCgroupFile(`${at("cpuacct", cgroup)}/cpuacct.usage`);
      const memory = readCgroupFile(`${at("memory", cgroup)}/memory.usage_in_bytes`);
      if (usage === undefined || memory === undefined) return undefined;
      const stat = readCgroupFile(`${at("memory", cgroup)}/memory.stat`);
      const usedBytes = Number(memory);
      const inactiveBytes = keyedValue(stat, "total_inactive_file") ?? 0;
      return {
        cpuUsageNs: Number(usage),
        memoryUsageBytes: usedBytes,
        memoryWorkingSetBytes: Math.max(usedBytes - inactiveBytes, 0),
        memoryRssBytes: keyedValue(stat, "total_rss") ?? 0,
        pageFaults: keyedValue(stat, "total_pgfault"),
        majorPageFaults: keyedValue(stat, "total_pgmajfault"),
      };
    },

    oomKilled(cgroup) {
      return (keyedValue(readCgroupFile(`${at("memory", cgroup)}/memory.oom_control`), "oom_kill") ?? 0) > 0;
    },

    list: () => [...new Set(mounts.flatMap((mount) => cgroupsBelow(mount, root)))],

    async kill(cgroup) {
      const path = at("pids", cgroup) ?? at("memory", cgroup);
      if (path) await killBelow(path, clock);
    },

    async remove(cgroup) {
      // runc makes one in every hierarchy.
      for (const mount of managed ? new Set(Object.values(hierarchies)) : mounts) {
        await removeBelow(`${mount}/${cgroup}`, clock);
      }
      for (const controller of ["cpuset", "hugetlb", "devices"]) {
        const path = own(controller, cgroup);
        if (path && existsSync(path)) await removeBelow(path, clock);
      }
    },
  };
}

function allowDevices(path: string, rules: readonly DeviceRule[]): void {
  writeCgroupFile(`${path}/devices.deny`, "a");
  for (const { type, major, minor, access } of rules) {
    const number = (value: number) => (value < 0 ? "*" : value);
    writeCgroupFile(`${path}/devices.allow`, `${type} ${number(major)}:${number(minor)} ${access}`);
  }
}

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined;
}
