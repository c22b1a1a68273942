import { type corev1, isMirrorPod, referredKind } from "../api/index.ts";
import type { Clock, Random } from "../base/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./contract.ts";
import { isCore, type Lookup, refusal } from "./refuse.ts";
import { forbiddenSecret } from "./service-account-secrets.ts";

export interface ServiceAccountOptions {
  clock: Clock;
  random: Random;
  getServiceAccount(namespace: string, name: string): Lookup<corev1.ServiceAccount>;
}

const defaultAccount = "default";
const tokenMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
const tokenVolumePrefix = "kube-api-access-";
/** An hour, and the seconds by which the server knows that nobody chose the lifetime. As upstream. */
const tokenExpirationSeconds = 3_607;
const projectedVolumeMode = 0o644;

/** A namespace's default account follows the namespace within moments; the first pod in it is not refused for being quick. */
const defaultAccountWaitMsMax = 1_000;
const defaultAccountLookEveryMs = 20;

/**
 * Gives a pod its service account, the token that it can use the API with, and the account's pull secrets; refuses a pod whose
 * account does not exist. As `plugin/pkg/admission/serviceaccount`.
 */
export function serviceAccount(options: ServiceAccountOptions): AdmissionPlugin {
  return {
    name: "ServiceAccount",
    wants: (request) =>
      request.operation === "CREATE"
        ? isCore(request, "pods")
        : request.operation === "UPDATE" &&
          request.resource.resource === "pods" &&
          request.subresource === "ephemeralcontainers",
    async mutate(request) {
      if (request.operation !== "CREATE") return;
      const pod = request.object as corev1.Pod;
      if (isMirrorPod(pod)) return;
      pod.spec = withAccount(pod.spec, pod.spec.serviceAccountName || defaultAccount);
      const account = await accountOf(request, pod, options);
      pod.spec = withPullSecrets(pod.spec, account);
      const automount = pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
      if (automount) pod.spec = withToken(pod.spec, () => tokenVolumePrefix + options.random.nameSuffix(5));
    },
    async validate(request) {
      const pod = request.object as corev1.Pod;
      if (isMirrorPod(pod)) return refuseReferences(request, pod);
      if (!pod.spec.serviceAccountName) {
        throw refusal(request, `no service account specified for pod ${request.namespace}/${request.name}`);
      }
      const account = await accountOf(request, pod, options);
      const why = forbiddenSecret(account, pod);
      if (why) throw refusal(request, why);
    },
  };
}

/** `serviceAccount` is the field's former name, and follows it. */
const withAccount = (spec: corev1.PodSpec, name: string): corev1.PodSpec => ({
  ...spec,
  serviceAccountName: name,
  serviceAccount: name,
});

async function accountOf(
  request: AdmissionRequest,
  pod: corev1.Pod,
  { clock, getServiceAccount }: ServiceAccountOptions,
): Promise<corev1.ServiceAccount> {
  const namespace = request.namespace!;
  const name = pod.spec.serviceAccountName!;
  const giveUpAtMs = clock.monotonicMs() + (name === defaultAccount ? defaultAccountWaitMsMax : 0);
  for (;;) {
    const account = await getServiceAccount(namespace, name);
    if (account) return account;
    if (clock.monotonicMs() >= giveUpAtMs) {
      throw refusal(
        request,
        `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
      );
    }
    await clock.sleep(defaultAccountLookEveryMs);
  }
}

function withPullSecrets(spec: corev1.PodSpec, account: corev1.ServiceAccount): corev1.PodSpec {
  const secrets = account.imagePullSecrets ?? [];
  if (spec.imagePullSecrets?.length || secrets.length === 0) return spec;
  return { ...spec, imagePullSecrets: secrets.map(({ name }) => ({ name })) };
}

/** Mounts the token where a container has nothing else mounted, and adds its volume if a container needs it. */
function withToken(spec: corev1.PodSpec, newName: () => string): corev1.PodSpec {
  const present = spec.volumes?.find(({ name }) => name.startsWith(tokenVolumePrefix));
  const volumeName = present?.name ?? newName();
  const mount = { name: volumeName, readOnly: true, mountPath: tokenMountPath };
  let mounted = false;
  const withMount = (container: corev1.Container): corev1.Container => {
    const mounts = container.volumeMounts ?? [];
    if (mounts.some(({ mountPath }) => mountPath === tokenMountPath)) return container;
    mounted = true;
    return { ...container, volumeMounts: [...mounts, mount] };
  };
  const initContainers = spec.initContainers?.map(withMount);
  const containers = spec.containers.map(withMount);
  if (!mounted) return spec;
  const volumes = present ? spec.volumes : [...(spec.volumes ?? []), tokenVolume(volumeName)];
  return { ...spec, ...(volumes && { volumes }), ...(initContainers && { initContainers }), containers };
}

/** The token, the cluster's CA and the namespace, under the names that clients in a pod look for. */
const tokenVolume = (name: string): corev1.Volume => ({
  name,
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: tokenExpirationSeconds, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: {
          items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
        },
      },
    ],
    defaultMode: projectedVolumeMode,
  },
});

function refuseReferences(request: AdmissionRequest, pod: corev1.Pod): void {
  const kind = referredKind(pod);
  if (kind === "serviceaccounts") throw refusal(request, "a mirror pod may not reference service accounts");
  if (kind === "secrets") throw refusal(request, "a mirror pod may not reference secrets");
}
