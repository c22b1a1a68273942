import { readFileSync } from "node:fs";
import type { CommandContext } from "../context.ts";
import { exitCodes, UserError } from "../errors.ts";
import { clusterPrograms, missingPrograms } from "./packages.ts";

/** One thing a host must or should have. */
export interface HostCheck {
  name: string;
  state: "ok" | "warning" | "missing";
  detail: string;
  remedy?: string;
}

export function requireRoot(): void {
  if (process.getuid?.() !== 0) {
    throw new UserError("Peapod makes real pods, and only root may: namespaces, mounts and cgroups", {
      exitCode: exitCodes.notPermitted,
      remedy: "run it again with sudo",
    });
  }
}

/** Refuses to start on a host that cannot run a pod, naming each thing that is missing and its remedy. */
export function requireAbleHost(context: CommandContext): void {
  requireRoot();
  const missing = hostChecks(context.env.PATH ?? "").filter((check) => check.state === "missing");
  if (missing.length === 0) return;
  throw new UserError(
    `this host cannot run pods:\n${missing.map((m) => `  ${m.name}: ${m.detail}`).join("\n")}`,
    { remedy: [...new Set(missing.map((m) => m.remedy).filter(Boolean))].join("; ") },
  );
}

/** What this host has and lacks. Reads only; changes nothing. */
export function hostChecks(path: string): HostCheck[] {
  return [system(), root(), ...programs(path), ...kernel(), cgroups(), ...capabilities()];
}

function system(): HostCheck {
  const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(read("/etc/os-release"))?.[1] ?? "unknown";
  const kernelVersion = read("/proc/sys/kernel/osrelease").trim();
  return process.platform === "linux"
    ? { name: "system", state: "ok", detail: `${name}, kernel ${kernelVersion}, Node ${process.version}` }
    : {
        name: "system",
        state: "missing",
        detail: `${process.platform} is not Linux`,
        remedy: "use a Linux machine",
      };
}

function root(): HostCheck {
  return process.getuid?.() === 0
    ? { name: "root", state: "ok", detail: "running as root" }
    : { name: "root", state: "missing", detail: "not running as root", remedy: "use sudo" };
}

function programs(path: string): HostCheck[] {
  const missing = new Set(missingPrograms(clusterPrograms, path));
  return clusterPrograms.map((p) =>
    missing.has(p)
      ? {
          name: p.program,
          state: "missing",
          detail: `not found; it ${p.why}`,
          remedy: `apt-get install ${p.debianPackage}`,
        }
      : { name: p.program, state: "ok", detail: p.why },
  );
}

function kernel(): HostCheck[] {
  const filesystems = read("/proc/filesystems");
  const overlay: HostCheck = /\boverlay$/m.test(filesystems)
    ? { name: "overlayfs", state: "ok", detail: "layers container root filesystems" }
    : {
        name: "overlayfs",
        state: "missing",
        detail: "the kernel does not list it; container root filesystems are layered with it",
        remedy: "modprobe overlay",
      };
  const namespaces = (["net", "ipc", "uts", "pid", "mnt"] as const).map((ns): HostCheck => {
    const there = exists(`/proc/self/ns/${ns}`);
    return {
      name: `${ns} namespaces`,
      state: there ? "ok" : "missing",
      detail: there ? "supported" : "the kernel was built without them",
      ...(!there && { remedy: "use a kernel with namespaces" }),
    };
  });
  const seccomp: HostCheck = /^Seccomp:/m.test(read("/proc/self/status"))
    ? { name: "seccomp", state: "ok", detail: "filters system calls of containers" }
    : {
        name: "seccomp",
        state: "missing",
        detail: "containers would run unfiltered",
        remedy: "use a kernel with CONFIG_SECCOMP_FILTER",
      };
  return [overlay, ...namespaces, seccomp];
}

function cgroups(): HostCheck {
  const mounts = read("/proc/self/mounts");
  const v1 = [...mounts.matchAll(/^\S+ \S+ cgroup (\S+)/gm)].flatMap((m) => m[1]!.split(","));
  const need = ["cpu", "memory", "pids"];
  if (need.every((controller) => v1.includes(controller))) {
    return { name: "cgroups", state: "ok", detail: `version 1 (${need.join(", ")})` };
  }
  const v2 = read("/sys/fs/cgroup/cgroup.controllers").trim().split(" ");
  const lacking = need.filter((controller) => !v2.includes(controller));
  return lacking.length === 0
    ? { name: "cgroups", state: "ok", detail: `version 2 (${need.join(", ")})` }
    : {
        name: "cgroups",
        state: "missing",
        detail: `no ${lacking.join(", ")} controller; limits could not be enforced`,
        remedy: "mount cgroup2 with the cpu, memory and pids controllers at /sys/fs/cgroup",
      };
}

const capabilityNumbers = {
  CAP_NET_ADMIN: 12,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_RESOURCE: 24,
  CAP_MKNOD: 27,
} as const;

function capabilities(): HostCheck[] {
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(read("/proc/self/status"))?.[1] ?? "0"}`);
  return Object.entries(capabilityNumbers).map(([name, bit]): HostCheck => {
    if (effective & (1n << BigInt(bit))) return { name, state: "ok", detail: "held" };
    return name === "CAP_SYS_RESOURCE"
      ? {
          name,
          state: "warning",
          detail: "not held: negative oom_score_adj and raised rlimits are clamped to what the host allows",
          remedy: "give it, if pods of the Guaranteed class must outlive memory pressure",
        }
      : {
          name,
          state: "missing",
          detail: "not held; pods cannot be made without it",
          remedy: "run outside the restricted container",
        };
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function exists(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}
