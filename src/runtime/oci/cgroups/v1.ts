import { existsSync, readdirSync } from "node:fs";
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
import { systemCgroups } from "./hierarchies.ts";
import { launchedIn } from "./launch.ts";
import { type CgroupWrite, ociResources, withoutHugepages, writesV1 } from "./resources.ts";
import { usageV1 } from "./stats.ts";

/** Where each controller's hierarchy is mounted; several may share one. */
export type Hierarchies = Readonly<Record<string, string>>;

const sharesPerCpu = 1024;

const runtimeArgs = {
  crun: ["--cgroup-manager=disabled"],
  runc: [],
  runsc: ["--ignore-cgroups"],
} as const satisfies Record<RuntimeKind, readonly string[]>;

/** Every container has its own cgroup in these. */
const perContainer = ["cpu", "cpuacct", "memory", "pids"] as const;

/**
 * cgroup v1 (also beside a v2 mount): the agent makes the cgroups and moves processes into them, because crun
 * refuses a layout in which both versions are mounted.
 *
 * - The device rules that all containers share live in one cgroup, so that a container costs no rule writes; and so
 *   does the limit of those that may use no huge pages.
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
  // runc knows no hierarchy mounted elsewhere, as the engine does for crun with a controller left on cgroup v2.
  const runcHasHugetlb = hierarchies["hugetlb"]?.startsWith(`${systemCgroups}/`) ?? false;
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

  const noHugepages = at("hugetlb", `${root}/default`);
  if (noHugepages && !existsSync(noHugepages)) {
    makeCgroup(noHugepages);
    for (const file of readdirSync(noHugepages))
      if (file.endsWith(".limit_in_bytes")) writeCgroupFile(`${noHugepages}/${file}`, "0");
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
    const writes = writesV1(hasNoHugepages(resources) ? withoutHugepages(resources) : resources);
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
    const ownOr = (controller: string, shared: string | undefined) => {
      const path = own(controller, cgroup);
      return path && existsSync(path) ? path : shared;
    };
    const paths = [
      ...(exec && pids ? [...shared.filter((path) => path !== pids), `${pids}/${exec}`] : shared),
      ...[ownOr("cpuset", undefined), ownOr("hugetlb", noHugepages), ownOr("devices", sharedDevices)].filter(
        isPresent,
      ),
    ];
    return paths.map((path) => `${path}/tasks`);
  };

  return {
    version: "v1",
    runtimeArgs: runtimeArgs[options.runtime],

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
      const hugetlb = own("hugetlb", cgroup);
      if (hugetlb && !hasNoHugepages(resources)) makeCgroup(hugetlb);
      const path = own("devices", cgroup);
      if (path && devices.length > 0 && !existsSync(path)) {
        makeCgroup(path);
        // A privileged container's has no rules, and so allows what the agent may.
        if (devices !== "all") allowDevices(path, [...defaultDeviceRules, ...devices]);
      }
      apply(cgroup, resources);
    },

    spec(cgroup, { resources, devices }, access) {
      // gVisor shows its own.
      if (options.runtime === "runsc") return { mounts: [cgroupMount(access)], namespace: false };
      const shown = ["cpu", "cpuacct", "memory", "pids"].filter((controller) => hierarchies[controller]);
      return {
        ...(managed && {
          cgroupsPath: `/${cgroup}`,
          resources: {
            ...ociResources(runcHasHugetlb ? resources : withoutHugepages(resources)),
            devices: ociDeviceRules(devices),
          },
        }),
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

    launcher: (cgroup) => (managed ? [] : launchedIn(tasksOf(cgroup))),
    execLauncher: (cgroup, name) => (managed ? [] : launchedIn(tasksOf(cgroup, name))),

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

    stats: (cgroup, detail) =>
      usageV1(
        { cpuacct: at("cpuacct", cgroup), memory: at("memory", cgroup), pids: at("pids", cgroup) },
        detail,
      ),
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

/** It names sizes, and may have none of each. */
const hasNoHugepages = ({ hugepages }: LinuxResources) =>
  hugepages?.every(({ limitBytes }) => limitBytes === 0) ?? false;

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
