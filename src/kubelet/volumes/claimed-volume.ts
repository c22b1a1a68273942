import { type corev1, notMadeForPod, type PodClaim } from "../../api/index.ts";
import { persistentVolumeClaims, persistentVolumes, type Transport } from "../../client/index.ts";
import { messageOf } from "../worker/start-error.ts";

type Claim = corev1.PersistentVolumeClaim;
type Volume = corev1.PersistentVolume;

/**
 * What a pod's claim is bound to, asked of the API server each time: a node may read single claims of its pods only. As
 * `pkg/kubelet/volumemanager/populator`, whose words the errors have.
 */
export async function claimedVolume(
  transport: Transport,
  pod: corev1.Pod,
  { claimName, isEphemeral, volume }: PodClaim,
  /** Whether the pod has the volume here already, from before its claim was to go. */
  isPresent: (volumeName: string) => boolean,
): Promise<Volume> {
  const { namespace } = pod.metadata;
  const failed = (why: string) => new Error(`error processing PVC ${namespace}/${claimName}: ${why}`);
  const claim = await read<Claim>(transport, persistentVolumeClaims, claimName, namespace).catch((error) => {
    throw failed(`failed to fetch PVC from API server: ${messageOf(error)}`);
  });
  const volumeName = claim.spec?.volumeName;
  if (claim.metadata.deletionTimestamp && !(volumeName && isPresent(volumeName)))
    throw failed("PVC is being deleted");
  if (claim.status?.phase !== "Bound") throw failed("PVC is not bound");
  if (!volumeName) throw failed("PVC has empty pvc.Spec.VolumeName");
  const stranger = isEphemeral && notMadeForPod(pod, claim);
  if (stranger) throw new Error(stranger);
  const found = await read<Volume>(transport, persistentVolumes, volumeName).catch((error) => {
    throw failed(`failed to fetch PV ${volumeName} from API server: ${messageOf(error)}`);
  });
  const ref = found.spec?.claimRef;
  if (!ref)
    throw failed(
      `found PV object ${volumeName} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`,
    );
  if (ref.uid !== claim.metadata.uid)
    throw failed(
      `found PV object ${volumeName} but its pv.Spec.ClaimRef.UID ${ref.uid} does not point to claim.UID ${claim.metadata.uid}`,
    );
  checkUse(pod, volume.name, claim.spec?.volumeMode ?? "Filesystem");
  return found;
}

async function read<T>(
  transport: Transport,
  resource: typeof persistentVolumes,
  name: string,
  namespace?: string,
): Promise<T> {
  const { object } = await transport.request({ verb: "get", resource, name, namespace });
  return object;
}

/** A file system is mounted and a device is not. */
function checkUse({ spec }: corev1.Pod, name: string, mode: string): void {
  const containers = [...spec!.containers, ...(spec!.initContainers ?? [])];
  const isMounted = containers.some(({ volumeMounts }) => volumeMounts?.some((mount) => mount.name === name));
  const isDevice = containers.some(({ volumeDevices }) =>
    volumeDevices?.some((device) => device.name === name),
  );
  const wrong = mode === "Block" ? isMounted && "volumeMounts" : isDevice && "volumeDevices";
  if (wrong) throw new Error(`volume ${name} has volumeMode ${mode}, but is specified in ${wrong}`);
}
