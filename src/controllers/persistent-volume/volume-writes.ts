import {
  betaProvisionerAnnotation,
  bindCompletedAnnotation,
  boundByControllerAnnotation,
  boundVolume,
  type corev1,
  provisionerAnnotation,
} from "../../api/index.ts";
import { type Client, persistentVolumeClaims, persistentVolumes } from "../../client/index.ts";
import type { FreshCopies } from "../fresh-copies.ts";

type Volume = corev1.PersistentVolume;
type Claim = corev1.PersistentVolumeClaim;

/** What the binder writes; each write carries the revision it was decided on, and does nothing where nothing changes. */
export class VolumeWrites {
  readonly #client: Client;
  readonly #volumes: FreshCopies<Volume>;
  readonly #claims: FreshCopies<Claim>;

  constructor(client: Client, volumes: FreshCopies<Volume>, claims: FreshCopies<Claim>) {
    this.#client = client;
    this.#volumes = volumes;
    this.#claims = claims;
  }

  /** Both sides, one step after the other: cut off anywhere, the rest follows from what was written. */
  async bind(volume: Volume, claim: Claim): Promise<void> {
    const bound = boundVolume(volume, claim);
    const written = bound === volume ? volume : await this.#updateVolume(bound);
    await this.setPhase(written, "Bound");
    await this.setClaimStatus(await this.#bindClaim(claim, written), "Bound", written);
  }

  /** The volume is free again; one that a user has kept for a claim is kept for its name. */
  async unbind(volume: Volume): Promise<void> {
    const { claimRef, ...spec } = volume.spec!;
    const { [boundByControllerAnnotation]: byController, ...annotations } = volume.metadata.annotations ?? {};
    const { uid: _, ...kept } = claimRef!;
    const free = await this.#updateVolume(
      byController === undefined
        ? { ...volume, spec: { ...spec, claimRef: kept } }
        : { ...volume, metadata: { ...volume.metadata, annotations }, spec },
    );
    await this.setPhase(free, "Available");
  }

  async setPhase(
    volume: Volume,
    phase: NonNullable<corev1.PersistentVolumeStatus["phase"]>,
    message?: string,
  ): Promise<Volume> {
    if (volume.status?.phase === phase) return volume;
    const { message: _, ...status } = volume.status ?? {};
    const changed = { ...volume, status: { ...status, phase, ...(message && { message }) } };
    return this.#volumes.wrote(await this.#client.resource<Volume>(persistentVolumes).updateStatus(changed));
  }

  /** With the volume it is bound to; without one it has no size. */
  async setClaimStatus(
    claim: Claim,
    phase: NonNullable<corev1.PersistentVolumeClaimStatus["phase"]>,
    volume?: Volume,
  ): Promise<Claim> {
    const status = claimStatus(claim.status ?? {}, phase, volume);
    if (JSON.stringify(status) === JSON.stringify(claim.status)) return claim;
    const changed = { ...claim, status };
    return this.#claims.wrote(
      await this.#client.resource<Claim>(persistentVolumeClaims).updateStatus(changed),
    );
  }

  setClass(claim: Claim, storageClassName: string): Promise<Claim> {
    return this.#updateClaim({ ...claim, spec: { ...claim.spec, storageClassName } });
  }

  /** Asks for a volume to be made. */
  async setProvisioner(claim: Claim, provisioner: string): Promise<Claim> {
    const annotations = { ...claim.metadata.annotations };
    if (annotations[provisionerAnnotation] === provisioner) return claim;
    annotations[provisionerAnnotation] = provisioner;
    annotations[betaProvisionerAnnotation] = provisioner;
    return this.#updateClaim({ ...claim, metadata: { ...claim.metadata, annotations } });
  }

  async #bindClaim(claim: Claim, volume: Volume): Promise<Claim> {
    const { annotations = {} } = claim.metadata;
    const volumeName = volume.metadata.name;
    const isNamed = claim.spec?.volumeName === volumeName;
    if (isNamed && annotations[bindCompletedAnnotation] !== undefined) return claim;
    return this.#updateClaim({
      ...claim,
      metadata: {
        ...claim.metadata,
        annotations: {
          ...annotations,
          ...(!isNamed && { [boundByControllerAnnotation]: "yes" }),
          [bindCompletedAnnotation]: "yes",
        },
      },
      spec: { ...claim.spec, volumeName },
    });
  }

  async #updateVolume(volume: Volume): Promise<Volume> {
    return this.#volumes.wrote(await this.#client.resource<Volume>(persistentVolumes).update(volume));
  }

  async #updateClaim(claim: Claim): Promise<Claim> {
    return this.#claims.wrote(await this.#client.resource<Claim>(persistentVolumeClaims).update(claim));
  }
}

export function claimStatus(
  before: corev1.PersistentVolumeClaimStatus,
  phase: NonNullable<corev1.PersistentVolumeClaimStatus["phase"]>,
  volume: Volume | undefined,
): corev1.PersistentVolumeClaimStatus {
  const { accessModes: _, capacity, currentVolumeAttributesClassName: attributesClass, ...rest } = before;
  if (!volume) return { ...rest, phase };
  const { accessModes, capacity: size, volumeAttributesClassName } = volume.spec!;
  const current =
    before.phase === "Pending" && phase === "Bound" ? volumeAttributesClassName : attributesClass;
  return {
    ...rest,
    phase,
    accessModes,
    // Of a bound claim it is who expands the volume that says how large it has become.
    capacity: before.phase === phase && capacity ? capacity : size,
    ...(current !== undefined && { currentVolumeAttributesClassName: current }),
  };
}
