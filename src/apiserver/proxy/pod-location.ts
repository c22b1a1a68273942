import type { Duplex } from "node:stream";
import { badRequest, type KubeObject, notFound, serviceUnavailable } from "../../machinery/index.ts";
import type { Serving } from "../context.ts";
import type { KindStorage } from "../registry/kind-storage.ts";
import { nodeOf, podTarget } from "../subresources/pod-container.ts";

/** `https:NAME:PORT`, of which scheme and port may be missing. */
export interface SchemeNamePort {
  scheme: "http" | "https";
  name: string;
  port: string;
}

/** As `utilnet.SplitSchemeNamePort`; undefined for what is none. */
export function splitSchemeNamePort(id: string): SchemeNamePort | undefined {
  const parts = id.split(":");
  if (parts.length > 3) return undefined;
  const [scheme, name, port] =
    parts.length === 1 ? ["", parts[0]!, ""] : parts.length === 2 ? ["", ...parts] : parts;
  if (!name || (scheme !== "" && scheme !== "http" && scheme !== "https")) return undefined;
  return { scheme: scheme || "http", name, port: port! } as SchemeNamePort;
}

/** Where a pod listens, and the way there. */
export interface Location {
  scheme: "http" | "https";
  dial(signal: AbortSignal): Promise<Duplex>;
}

/** As `pkg/registry/core/pod.ResourceLocation`. */
export async function podLocation(
  { nodes }: Serving,
  storage: KindStorage,
  namespace: string,
  id: string,
): Promise<Location> {
  const split = splitSchemeNamePort(id);
  if (!split) throw badRequest(`invalid pod request ${JSON.stringify(id)}`);
  const entry = await storage.get(storage.key(namespace, split.name));
  if (!entry) throw notFound(storage.groupResource, split.name);
  const pod: KubeObject = entry.object;
  if (!(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP)) throw badRequest("address not allowed");
  const port = portOf(split, pod);
  return {
    scheme: split.scheme,
    dial: async (signal) => (await nodes.connect(nodeOf(pod))).dialPod(podTarget(pod), port, signal),
  };
}

/** Without one the first that the pod says it has. */
function portOf({ scheme, port }: SchemeNamePort, pod: KubeObject): number {
  const declared = (pod.spec.containers as { ports?: { containerPort: number }[] }[]).find(
    ({ ports }) => ports?.length,
  )?.ports?.[0]?.containerPort;
  if (port === "") return declared ?? (scheme === "https" ? 443 : 80);
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number >= 1 && number <= 65_535) return number;
  throw serviceUnavailable(`error trying to reach service: dial tcp: address ${port}: invalid port`);
}
