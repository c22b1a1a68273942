import type { corev1 } from "../../../index.ts";
import { eachContainer } from "./validation/context.ts";

interface Placed {
  port: corev1.ContainerPort;
  path: string;
}

/** Ports of a pod's containers that get in each other's way, though none of them is wrong. */
export function portWarnings(spec: corev1.PodSpec, path: string): string[] {
  const ports: Placed[] = [];
  eachContainer(spec, path, (container, at) => {
    container.ports?.forEach((port, i) => {
      ports.push({ port, path: `${at}.ports[${i}]` });
    });
  });
  return ports.length === 0 ? [] : [...overlaps(ports), ...repeatedNames(ports)];
}

function overlaps(ports: readonly Placed[]): string[] {
  const warnings: string[] = [];
  const known = new Map<string, Placed[]>();
  for (const placed of ports) {
    const { port, path } = placed;
    if (port.hostIP && !port.hostPort)
      warnings.push(`${path}: hostIP set without hostPort: ${JSON.stringify(port)}`);
    const key = `${port.containerPort}/${port.protocol}`;
    const others = known.get(key) ?? [];
    for (const other of others) {
      const relation = relationOf(port, other.port);
      if (relation) warnings.push(`${path}: ${relation} port definition with ${other.path}`);
    }
    known.set(key, [...others, placed]);
  }
  return warnings;
}

function relationOf(a: corev1.ContainerPort, b: corev1.ContainerPort): string | undefined {
  const [aPort, bPort] = [a.hostPort ?? 0, b.hostPort ?? 0];
  const [aIP, bIP] = [a.hostIP ?? "", b.hostIP ?? ""];
  if (aIP === bIP && aPort === bPort) return "duplicate";
  if (aPort === 0 || bPort === 0) return "overlapping";
  return aPort === bPort && (aIP === "") !== (bIP === "") ? "dangerously ambiguous" : undefined;
}

function repeatedNames(ports: readonly Placed[]): string[] {
  const warnings: string[] = [];
  const known = new Map<string, string>();
  for (const { port, path } of ports) {
    if (!port.name) continue;
    const other = known.get(port.name);
    if (other)
      warnings.push(
        `${path}: duplicate port name ${JSON.stringify(port.name)} with ${other}, services and probes that select ports by name will use ${other}`,
      );
    else known.set(port.name, path);
  }
  return warnings;
}
