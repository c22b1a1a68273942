import {
  type ContainerConfig,
  type PodSandboxConfig,
  RuntimeError,
  type RuntimeHandler,
} from "../../contract.ts";
import type { Message } from "../wire/index.ts";

/** What not every engine can do. */
export interface Features {
  /** Its own name. */
  engine: string;
  /** Empty for an engine before CRI 1.30, which does not tell. */
  handlers: readonly RuntimeHandler[];
  supplementalGroupsPolicy: boolean;
  imageVolumes: boolean;
}

/** Of an engine's own word where CRI has one for it; by its version where CRI has none. */
export function featuresOf(
  { runtimeHandlers, features }: Pick<Message<"StatusResponse">, "runtimeHandlers" | "features">,
  version: Pick<Message<"VersionResponse">, "runtimeName" | "runtimeVersion">,
): Features {
  return {
    engine: version.runtimeName,
    handlers: runtimeHandlers.map(({ name, features: of }) => ({
      name,
      features: {
        recursiveReadOnlyMounts: of?.recursiveReadOnlyMounts === true,
        userNamespaces: of?.userNamespaces === true,
      },
    })),
    supplementalGroupsPolicy: features?.supplementalGroupsPolicy === true,
    imageVolumes: mountsImages(version),
  };
}

/** An engine that knows nothing of it would mount an empty directory. containerd learned it in 2.1, CRI-O in 1.31. */
function mountsImages({
  runtimeName,
  runtimeVersion,
}: {
  runtimeName: string;
  runtimeVersion: string;
}): boolean {
  const since = new Map([
    ["containerd", [2, 1]],
    ["cri-o", [1, 31]],
  ]).get(runtimeName);
  if (!since) return true;
  const [major = 0, minor = 0] = runtimeVersion.replace(/^v/, "").split(".").map(Number);
  return major > since[0]! || (major === since[0] && minor >= since[1]!);
}

const ofHandler = ({ handlers }: Features, handler = "") =>
  handlers.find(({ name }) => name === handler)?.features;

const unsupported = (what: string) =>
  new RuntimeError("Unsupported", `this container runtime does not support ${what}`);

/** @throws RuntimeError `Unsupported` */
export function requireForSandbox(features: Features, { linux, runtimeHandler }: PodSandboxConfig): void {
  if (linux.namespaces.user && !ofHandler(features, runtimeHandler)?.userNamespaces)
    throw new RuntimeError("Unsupported", "this container runtime has no user namespaces (hostUsers: false)");
}

/** @throws RuntimeError `Unsupported` */
export function requireForContainer(
  features: Features,
  { mounts, linux }: ContainerConfig,
  { runtimeHandler }: PodSandboxConfig,
): void {
  const isRecursive = mounts.some((mount) => mount.recursiveReadOnly);
  if (isRecursive && !ofHandler(features, runtimeHandler)?.recursiveReadOnlyMounts)
    throw unsupported("recursive read-only mounts");
  if (linux.security.supplementalGroupsPolicy === "Strict" && !features.supplementalGroupsPolicy)
    throw unsupported("supplementalGroupsPolicy Strict");
  if (mounts.some((mount) => mount.imageId !== undefined) && !features.imageVolumes)
    throw unsupported("volumes of images (containerd does from version 2.1 on)");
}
