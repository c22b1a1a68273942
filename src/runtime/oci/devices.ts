import { opendir, stat } from "node:fs/promises";
import { type ContainerConfig, RuntimeError } from "../contract.ts";
import type { DeviceRule, RuntimeKind } from "./cgroups/driver.ts";
import type { OciDevice } from "./spec/oci-spec.ts";

/** Folders of /dev that a container has of its own. */
const ownFolders = new Set(["pts", "shm", "mqueue", "fd"]);
/** A host with more device nodes than this has something else in /dev. */
const devicesMax = 4096;

export interface ContainerDevices {
  nodes: OciDevice[];
  rules: "all" | DeviceRule[];
}

/** The device nodes a container gets beside the default ones: those it names, or all of the host's when privileged. */
export async function findDevices(config: ContainerConfig, runtime: RuntimeKind): Promise<ContainerDevices> {
  if (runtime === "runsc") {
    // Its kernel has devices of its own, and none of the host's, also where all is allowed.
    if (!config.devices?.length) return { nodes: [], rules: [] };
    throw new RuntimeError(
      "Unsupported",
      'the runtime handler "runsc" (gVisor) does not support host devices',
    );
  }
  if (config.linux.security.privileged) return { nodes: await allDevices(), rules: "all" };
  const nodes: OciDevice[] = [];
  const rules: DeviceRule[] = [];
  for (const { hostPath, containerPath, permissions } of config.devices ?? []) {
    const device = await readDevice(hostPath, containerPath);
    if (!device) throw new RuntimeError("CreateContainerError", `"${hostPath}" is no device of this host`);
    nodes.push(device);
    rules.push({ type: device.type, major: device.major, minor: device.minor, access: permissions || "rwm" });
  }
  return { nodes, rules };
}

async function allDevices(): Promise<OciDevice[]> {
  const nodes: OciDevice[] = [];
  const folders = ["/dev"];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    for await (const entry of await opendir(folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!ownFolders.has(entry.name)) folders.push(path);
      } else if ((entry.isCharacterDevice() || entry.isBlockDevice()) && entry.name !== "console") {
        const device = await readDevice(path, path);
        if (device && nodes.length < devicesMax) nodes.push(device);
      }
    }
  }
  return nodes;
}

async function readDevice(hostPath: string, containerPath: string): Promise<OciDevice | undefined> {
  const info = await stat(hostPath).catch(() => undefined);
  if (!info || !(info.isCharacterDevice() || info.isBlockDevice())) return undefined;
  return {
    path: containerPath,
    type: info.isBlockDevice() ? "b" : "c",
    ...deviceNumbers(info.rdev),
    fileMode: info.mode & 0o7777,
    uid: info.uid,
    gid: info.gid,
  };
}

/** As glibc's major() and minor(); a device number is at most 2^32 here. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
