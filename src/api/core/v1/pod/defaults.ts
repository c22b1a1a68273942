import type { corev1 } from "../../../index.ts";
import { defaultPullPolicy } from "./image-tag.ts";
import { defaultPodLevelResources, roundUpToMilli } from "./resource-defaults.ts";
import { defaultVolume } from "./volume-defaults.ts";

/*
 * What a Pod gets that its writer left out. As `pkg/apis/core/v1/defaults.go`; zero counts as left out where Go cannot
 * tell the two apart.
 */

const terminationGracePeriodDefaultS = 30;

/** Defaults of a spec, in a Pod as in a template. */
export function defaultPodSpec(spec: corev1.PodSpec): void {
  // Whoever reads on counts on a list; that an empty one is wrong is for the validation to say.
  spec.containers ??= [];
  spec.dnsPolicy ||= "ClusterFirst";
  spec.restartPolicy ||= "Always";
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= terminationGracePeriodDefaultS;
  spec.schedulerName ||= "default-scheduler";
  defaultServiceAccount(spec);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of spec.initContainers ?? []) defaultContainer(container);
  for (const container of spec.containers ?? []) defaultContainer(container);
  for (const container of spec.ephemeralContainers ?? []) defaultContainer(container);
}

/** Defaults of a Pod that a template does not get. */
export function defaultPod(pod: corev1.Pod): void {
  pod.spec ??= { containers: [] };
  pod.status ??= {};
  const { spec } = pod;
  defaultPodSpec(spec);
  for (const container of spec.containers ?? []) defaultRequests(container.resources);
  for (const container of spec.initContainers ?? []) defaultRequests(container.resources);
  defaultPodLevelResources(spec);
  spec.enableServiceLinks ??= true;
  // Of pods only: a template keeps what it says.
  if (spec.terminationGracePeriodSeconds! < 0) spec.terminationGracePeriodSeconds = 1;
  if (spec.hostNetwork) {
    defaultHostPorts(spec.containers);
    defaultHostPorts(spec.initContainers);
  }
}

/** `serviceAccount` is the deprecated name of the same field; each reads the other, the new one wins. */
function defaultServiceAccount(spec: corev1.PodSpec): void {
  const name = spec.serviceAccountName || spec.serviceAccount;
  if (!name) return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
}

function defaultContainer(container: corev1.Container | corev1.EphemeralContainer): void {
  container.imagePullPolicy ||= defaultPullPolicy(container.image);
  container.terminationMessagePath ||= "/dev/termination-log";
  container.terminationMessagePolicy ||= "File";
  // A struct in Go, so that clients always find it.
  container.resources ??= {};
  roundUpToMilli(container.resources.limits);
  roundUpToMilli(container.resources.requests);
  for (const port of container.ports ?? []) port.protocol ||= "TCP";
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ||= "v1";
    if (valueFrom?.fileKeyRef) valueFrom.fileKeyRef.optional ??= false;
  }
  if (container.livenessProbe) defaultProbe(container.livenessProbe);
  if (container.readinessProbe) defaultProbe(container.readinessProbe);
  if (container.startupProbe) defaultProbe(container.startupProbe);
  defaultHttpGet(container.lifecycle?.postStart?.httpGet);
  defaultHttpGet(container.lifecycle?.preStop?.httpGet);
}

function defaultProbe(probe: corev1.Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  defaultHttpGet(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= "";
}

function defaultHttpGet(action: corev1.HTTPGetAction | undefined): void {
  if (!action) return;
  action.path ||= "/";
  action.scheme ||= "HTTP";
}

/** A limit without a request is the request too. */
function defaultRequests(resources: corev1.ResourceRequirements | undefined): void {
  if (!resources?.limits) return;
  resources.requests ??= {};
  for (const name in resources.limits) resources.requests[name] ??= resources.limits[name]!;
}

/** In the host's network a container's port is the host's. */
function defaultHostPorts(containers: corev1.Container[] | undefined): void {
  for (const container of containers ?? []) {
    for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
}
