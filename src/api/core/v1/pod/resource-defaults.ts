import type { corev1 } from "../../../index.ts";
import { quantityOf } from "../../../validation/quantities.ts";
import { canExceedRequest, isHugePages, isPodLevelResource } from "./resource-names.ts";
import { containerLimits, containerRequests } from "./resources.ts";

/** Fills in `spec.resources` from the containers', where the pod has some of its own. */
export function defaultPodLevelResources(spec: corev1.PodSpec): void {
  const { resources } = spec;
  if (!resources) return;
  defaultHugePageLimits(spec, resources);
  defaultRequests(spec, resources);
}

/** Huge pages can't be overcommitted: the pod's limit is that of its containers, unless it asked for some itself. */
function defaultHugePageLimits(spec: corev1.PodSpec, resources: corev1.ResourceRequirements): void {
  if (isEmpty(resources.limits) && isEmpty(resources.requests)) return;
  const limited = containerLimits(spec);
  for (const name in limited) {
    if (!isHugePages(name) || resources.requests?.[name] !== undefined) continue;
    resources.limits ??= {};
    resources.limits[name] ??= limited[name]!.toString();
  }
}

/** A limit of the pod's own, and no request: then what its containers request, else the limit. */
function defaultRequests(spec: corev1.PodSpec, resources: corev1.ResourceRequirements): void {
  if (isEmpty(resources.limits)) return;
  const requests = { ...resources.requests };
  const requested = containerRequests(spec);
  for (const name in requested) {
    if (isPodLevelResource(name) && canExceedRequest(name)) requests[name] ??= requested[name]!.toString();
  }
  for (const name in resources.limits) {
    if (isPodLevelResource(name)) requests[name] ??= resources.limits[name]!;
  }
  if (!isEmpty(requests)) resources.requests = requests;
}

const isEmpty = (list: Readonly<Record<string, string>> | undefined) =>
  list === undefined || Object.keys(list).length === 0;

/** Amounts are kept in thousandths: what is smaller is rounded up. Few have such a suffix. */
export function roundUpToMilli(list: Record<string, string> | undefined): void {
  for (const name in list) {
    const text = list[name]!;
    const unit = text.charCodeAt(text.length - 1);
    if (unit === 0x6e /* n */ || unit === 0x75 /* u */) list[name] = roundedUp(text);
  }
}

function roundedUp(text: string): string {
  const milli = quantityOf(text).milliValue();
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
}
