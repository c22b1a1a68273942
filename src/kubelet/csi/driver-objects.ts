import type { storagev1 } from "../../api/index.ts";
import type { Informer } from "../../client/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import type { CsiVolume } from "./csi-volume.ts";

export type CsiDriverInformer = Informer<storagev1.CSIDriver & KubeObject>;

/** What the CSIDriver objects say of how drivers are to be used; one that has none is used in the plainest way. */
export class DriverObjects {
  readonly #drivers: CsiDriverInformer;

  constructor(drivers: CsiDriverInformer) {
    this.#drivers = drivers;
  }

  async spec(driver: string): Promise<storagev1.CSIDriverSpec | undefined> {
    await this.#drivers.synced;
    return this.#drivers.get(driver)?.spec;
  }

  /** Throws where the driver does not have volumes of this kind. */
  async checkMode({ driver, mode }: CsiVolume): Promise<void> {
    const spec = await this.spec(driver);
    if (!spec) {
      if (mode === "Persistent") return;
      throw new Error(`volume mode "${mode}" not supported by driver ${driver} (no CSIDriver object)`);
    }
    const modes: readonly string[] = spec.volumeLifecycleModes ?? [];
    if (modes.includes(mode)) return;
    const listed = `[${modes.map((each) => JSON.stringify(each)).join(" ")}]`;
    throw new Error(`volume mode "${mode}" not supported by driver ${driver} (only supports ${listed})`);
  }

  async isAttachRequired(driver: string): Promise<boolean> {
    return (await this.spec(driver))?.attachRequired !== false;
  }

  onChange(listener: () => void): () => void {
    return this.#drivers.addHandler({ added: listener, updated: listener, deleted: listener });
  }
}

/** Whether the agent gives the volume to the pod's group. As `supportsFSGroup` upstream. */
export function takesGroup(
  { readOnly, use, accessModes }: CsiVolume,
  policy: string = "ReadWriteOnceWithFSType",
): boolean {
  if (readOnly || policy === "None" || use.kind === "block") return false;
  if (policy === "File") return true;
  const isSingleWriter = accessModes.includes("ReadWriteOnce") || accessModes.includes("ReadWriteOncePod");
  return Boolean(use.fsType) && isSingleWriter;
}
