import type { corev1 } from "../../api/index.ts";

/** As upstream: how long a node that is not well may keep a volume mounted that nothing there uses. */
export const forceDetachAfterMs = 360_000;
/** As upstream: a driver that has not attached by then is told of. */
export const attachMsMax = 120_000;

/** One volume, as all nodes see it. */
export interface VolumeView {
  /** The names of nodes that pods which use it run on, or will. */
  wanted: ReadonlySet<string>;
  attachments: readonly AttachmentView[];
  allowsManyNodes: boolean;
}

export interface AttachmentView {
  name: string;
  nodeName: string;
  createdAtMs: number;
  isAttached: boolean;
  isDeleting: boolean;
  /** What the driver said went wrong. */
  error: string | undefined;
  /** The node says that it has it mounted. */
  isInUse: boolean;
  node: "well" | "not well" | "out of service" | "gone";
  /** Since when it is to go. */
  detachingSinceMs: number | undefined;
}

export type Step =
  | { do: "attach"; nodeName: string }
  /** `even`: also if the node should say by now that it has it mounted. */
  | { do: "detach"; attachment: string; even: "in use" | "unused" }
  /** The volume is elsewhere, and cannot be here too. */
  | { do: "refuse"; nodeName: string; elsewhere: readonly string[] }
  | { do: "tell"; nodeName: string; failure: string }
  | { do: "wait"; ms: number };

/**
 * What to do about one volume's attachments. Detaching comes first: a volume that can be on one node only is taken from
 * the one before it is given to the other.
 */
export function planAttachments(
  { wanted, attachments, allowsManyNodes }: VolumeView,
  driver: { name: string; handle: string },
  nowMs: number,
): Step[] {
  const steps: Step[] = [];
  for (const attachment of attachments)
    if (!wanted.has(attachment.nodeName) && !attachment.isDeleting) steps.push(planDetach(attachment, nowMs));
  for (const nodeName of wanted) {
    const here = attachments.find((each) => each.nodeName === nodeName);
    if (here) steps.push(...planAttached(here, driver, nowMs));
    else {
      const elsewhere = attachments.map((each) => each.nodeName);
      const isTaken = !allowsManyNodes && elsewhere.length > 0;
      steps.push(isTaken ? { do: "refuse", nodeName, elsewhere } : { do: "attach", nodeName });
    }
  }
  return steps;
}

function planDetach(
  { name, isInUse, node, detachingSinceMs = Number.NaN }: AttachmentView,
  nowMs: number,
): Step {
  const force: Step = { do: "detach", attachment: name, even: "in use" };
  if (node === "gone" || node === "out of service") return force;
  if (!isInUse) return { do: "detach", attachment: name, even: "unused" };
  const leftMs = (Number.isNaN(detachingSinceMs) ? nowMs : detachingSinceMs) + forceDetachAfterMs - nowMs;
  if (leftMs > 0) return { do: "wait", ms: leftMs };
  // A node that is well tells when it has unmounted.
  return node === "not well" ? force : { do: "wait", ms: forceDetachAfterMs };
}

function planAttached(
  { nodeName, isAttached, isDeleting, error, createdAtMs }: AttachmentView,
  driver: { name: string; handle: string },
  nowMs: number,
): Step[] {
  if (isDeleting) return [{ do: "tell", nodeName, failure: "volume attachment is being deleted" }];
  if (isAttached) return [];
  if (error !== undefined) return [{ do: "tell", nodeName, failure: error }];
  const waitedMs = nowMs - createdAtMs;
  if (waitedMs < attachMsMax) return [{ do: "wait", ms: attachMsMax - waitedMs }];
  const failure = `timed out waiting for external-attacher of ${driver.name} CSI driver to attach volume ${driver.handle}`;
  return [
    { do: "tell", nodeName, failure },
    { do: "wait", ms: attachMsMax },
  ];
}

/** Whether a volume may be on many nodes: one that does not say is left to its driver. */
export function allowsManyNodes({ spec }: corev1.PersistentVolume): boolean {
  const modes = spec?.accessModes ?? [];
  return modes.length === 0 || modes.some((mode) => mode === "ReadWriteMany" || mode === "ReadOnlyMany");
}

/** Why a pod waits for a volume that others have; it is not told the names of pods in other namespaces. */
export function multiAttachMessage(pod: corev1.Pod, others: readonly corev1.Pod[]): string {
  if (others.length === 0)
    return "Volume is already exclusively attached to one node and can't be attached to another";
  const isNear = ({ metadata }: corev1.Pod) => metadata.namespace === pod.metadata.namespace;
  const near = others.filter(isNear).map(({ metadata }) => metadata.name);
  const far = others.length - near.length;
  if (near.length === 0) return `Volume is already used by ${far} pod(s) in different namespaces`;
  const names = `Volume is already used by pod(s) ${near.join(", ")}`;
  return far > 0 ? `${names} and ${far} pod(s) in different namespaces` : names;
}
