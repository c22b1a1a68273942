import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.ts";

/** A program that Peapod runs, and the Debian package it is in. */
export interface HostProgram {
  program: string;
  debianPackage: string;
  why: string;
}

/** What every cluster needs. */
export const clusterPrograms: readonly HostProgram[] = [
  { program: "crun", debianPackage: "crun", why: "starts containers" },
  { program: "conmon", debianPackage: "conmon", why: "keeps containers, their logs and exit codes" },
  { program: "ip", debianPackage: "iproute2", why: "makes pod networks" },
  { program: "nft", debianPackage: "nftables", why: "makes host ports and address translation" },
  { program: "tar", debianPackage: "tar", why: "unpacks image layers" },
  { program: "zstd", debianPackage: "zstd", why: "unpacks image layers compressed with zstd" },
];

/** What the demo and the tests need on top: images made from Debian's packages, and a registry to pull them from. */
export const demoPrograms: readonly HostProgram[] = [
  ...clusterPrograms,
  { program: "docker-registry", debianPackage: "docker-registry", why: "serves the demo's images" },
  { program: "busybox", debianPackage: "busybox-static", why: "is the busybox image" },
  { program: "dpkg-deb", debianPackage: "dpkg", why: "unpacks nginx for the nginx image" },
];

/** What only the tests need. */
export const testPrograms: readonly HostProgram[] = [
  ...demoPrograms,
  { program: "skopeo", debianPackage: "skopeo", why: "writes archives that `image load` reads" },
  { program: "script", debianPackage: "bsdutils", why: "gives kubectl a terminal" },
  {
    program: "python3",
    debianPackage: "python3-minimal",
    why: "listens on ports inside test containers' namespaces",
  },
  { program: "ps", debianPackage: "procps", why: "shows which processes are left" },
  { program: "openssl", debianPackage: "openssl", why: "reads the certificates" },
  { program: "containerd", debianPackage: "containerd", why: "runs the contract's tests by another engine" },
  {
    program: "runc",
    debianPackage: "runc",
    why: "starts containers for containerd, and is a runtime class's handler",
  },
  { program: "runsc", debianPackage: "runsc", why: "is gVisor, a runtime class's handler" },
  {
    program: "/usr/lib/cni/bridge",
    debianPackage: "containernetworking-plugins",
    why: "makes containerd's pod network",
  },
  { program: "curl", debianPackage: "curl", why: "speaks HTTP to the API server" },
];

/** The ones of `programs` that this host lacks. */
export function missingPrograms(programs: readonly HostProgram[], path: string): HostProgram[] {
  // A person's PATH may lack sbin, where `nft` lives; Peapod itself always looks there.
  const dirs = [...path.split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"].filter(Boolean);
  return programs.filter(
    ({ program }) =>
      !dirs.some((dir) => {
        try {
          // A program that is on no PATH is given by its own.
          accessSync(program.startsWith("/") ? program : join(dir, program), constants.X_OK);
          return true;
        } catch {
          return false;
        }
      }),
  );
}

/** Installs Debian packages, without recommended ones and without starting services. */
export async function installDebianPackages(packages: readonly string[]): Promise<void> {
  if (spawnSync("apt-get", ["--version"]).status !== 0) {
    throw new UserError(`missing on this host: ${packages.join(", ")}`, {
      remedy: "install them with this system's package manager (Peapod does it itself on Debian)",
    });
  }
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  // Lists may be there and fresh enough; asking for new ones takes seconds.
  if ((await aptGet(install)).status === 0) return;
  const update = await aptGet(["update"]);
  if (update.status !== 0) throw new UserError(`apt-get update failed:\n${update.output}`);
  const second = await aptGet(install);
  if (second.status !== 0) throw new UserError(`apt-get install failed:\n${second.output}`);
}

function aptGet(args: readonly string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn("apt-get", ["-qq", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      // RUNLEVEL=1: maintainer scripts start no services (docker-registry would).
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output: Buffer.concat(chunks).toString().slice(-4000) }));
  });
}
