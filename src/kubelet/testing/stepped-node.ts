import type { corev1 } from "../../api/index.ts";
import { SteppedClock } from "../../base/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import { startNode, type TestNode } from "./node.ts";

export const isReady = ({ status }: corev1.Pod) =>
  status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;
export const statusOf = (pod: corev1.Pod, name: string) =>
  [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].find(
    (s) => s.name === name,
  );
export const waitingReason = (pod: corev1.Pod, name: string) => statusOf(pod, name)?.state?.waiting?.reason;
export const condition = (pod: corev1.Pod, type: string) =>
  pod.status?.conditions?.find((c) => c.type === type);

/** A node whose time stands still. */
export async function steppedNode(
  config: Partial<KubeletConfig> = {},
): Promise<TestNode & { clock: SteppedClock }> {
  return (await startNode({ clock: new SteppedClock(), config })) as TestNode & { clock: SteppedClock };
}

export const remove = (node: TestNode, name: string, gracePeriodSeconds?: number) =>
  node.api.request({
    verb: "delete",
    resource: node.pods,
    namespace: "default",
    name,
    options: { gracePeriodSeconds },
  });
