import type { corev1, storagev1 } from "../../api/index.ts";
import { secrets, type Transport } from "../../client/index.ts";
import type { TokenManager } from "../volumes/token-manager.ts";
import { messageOf } from "../worker/start-error.ts";
import type { CsiVolume, SecretRef } from "./csi-volume.ts";

type Texts = Readonly<Record<string, string>>;

/** A secret's data as a driver gets it. Read each time, as upstream: what a driver is told is what is true now. */
export async function secretTexts(
  transport: Transport,
  what: string,
  secret: SecretRef | undefined,
): Promise<Texts> {
  if (!secret) return {};
  const { namespace, name } = secret;
  try {
    const { object } = await transport.request({ verb: "get", resource: secrets, namespace, name });
    const data = Object.entries((object as corev1.Secret).data ?? {});
    return Object.fromEntries(data.map(([key, value]) => [key, Buffer.from(value, "base64").toString()]));
  } catch (error) {
    throw new Error(
      `fetching ${what} ${namespace}/${name} failed: kubernetes.io/csi: failed to find the secret ${name} in the namespace ${namespace} with error: ${messageOf(error)}`,
    );
  }
}

/** What the driver is told beside the volume's own attributes: the pod, where it asks, and tokens of its account. */
export async function publishContent(
  volume: CsiVolume,
  pod: corev1.Pod,
  driver: storagev1.CSIDriverSpec | undefined,
  from: { transport: Transport; tokens: TokenManager },
): Promise<{ volumeContext: Texts; secrets: Texts }> {
  const own = await secretTexts(from.transport, "NodePublishSecretRef", volume.publishSecret);
  const tokens = await tokenTexts(pod, driver, from.tokens);
  const info = driver?.podInfoOnMount ? podInfo(pod, volume) : {};
  const tokensAreSecret = driver?.serviceAccountTokenInSecrets === true;
  return {
    volumeContext: { ...volume.attributes, ...info, ...(!tokensAreSecret && tokens) },
    secrets: { ...own, ...(tokensAreSecret && tokens) },
  };
}

function podInfo({ metadata, spec }: corev1.Pod, { mode }: CsiVolume): Texts {
  return {
    "csi.storage.k8s.io/pod.name": metadata.name!,
    "csi.storage.k8s.io/pod.namespace": metadata.namespace!,
    "csi.storage.k8s.io/pod.uid": metadata.uid!,
    "csi.storage.k8s.io/serviceAccount.name": spec!.serviceAccountName ?? "",
    "csi.storage.k8s.io/ephemeral": String(mode === "Ephemeral"),
  };
}

async function tokenTexts(
  pod: corev1.Pod,
  driver: storagev1.CSIDriverSpec | undefined,
  tokens: TokenManager,
): Promise<Texts> {
  const requests = driver?.tokenRequests ?? [];
  if (requests.length === 0) return {};
  const issued = await Promise.all(
    requests.map(async ({ audience, expirationSeconds }) => {
      const { text, expirationTimestamp } = await tokens.boundToken(pod, { audience, expirationSeconds });
      return [audience, { token: text, expirationTimestamp }];
    }),
  );
  return { "csi.storage.k8s.io/serviceAccount.tokens": JSON.stringify(Object.fromEntries(issued)) };
}
