import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Image, ImageFsUsage, ImageService, RegistryAuth } from "../../contract.ts";
import { secretsFor } from "../../images/credentials.ts";
import { parseImageReference } from "../../images/reference.ts";
import { fromStatus } from "../errors.ts";
import { authToCri, imageConfigFromInfo, imageFromCri } from "../translate/index.ts";
import type { CriConnection } from "./connection.ts";

/** A pull ends when its caller gives up, or the engine does. */
const pullMsMax = Number.POSITIVE_INFINITY;

export class CriImages implements ImageService {
  readonly #connection: CriConnection;

  constructor(connection: CriConnection) {
    this.#connection = connection;
  }

  async status(name: string): Promise<Image | undefined> {
    const asked = this.#connection.images("ImageStatus", { image: { image: name }, verbose: true });
    const { image, info } = await asked.catch((error) => {
      throw fromStatus(error, "Internal");
    });
    return image ? imageFromCri(image, imageConfigFromInfo(info)) : undefined;
  }

  async pull(
    name: string,
    { auth = [], signal }: { auth?: RegistryAuth[]; signal?: AbortSignal },
  ): Promise<Image> {
    const image = parseImageReference(name);
    const secrets = secretsFor(image, auth);
    let failure: unknown;
    // As the kubelet: each that fits, best first.
    for (const secret of secrets.length > 0 ? secrets : [undefined]) {
      const credential = secret && { ...secret, registry: image.domain };
      try {
        const { imageRef } = await this.#connection.images(
          "PullImage",
          { image: { image: name }, auth: authToCri(credential) },
          { timeoutMs: pullMsMax, signal },
        );
        const pulled = await this.status(imageRef);
        if (pulled) return pulled;
        failure = new Error(`image ${name} is gone right after it was pulled`);
      } catch (error) {
        signal?.throwIfAborted();
        failure = error;
      }
    }
    throw fromStatus(failure, "ErrImagePull");
  }

  /** Without each image's config: an engine tells that of one image at a time. */
  async list(): Promise<Image[]> {
    const { images } = await this.#connection.images("ListImages", {}).catch((error) => {
      throw fromStatus(error, "Internal");
    });
    return images.map((image) => imageFromCri(image, {}));
  }

  async remove(name: string): Promise<void> {
    const image = await this.status(name);
    if (!image) return;
    await this.#connection.images("RemoveImage", { image: { image: image.id } }).catch((error) => {
      throw fromStatus(error, "Internal");
    });
  }

  async fsUsage(): Promise<ImageFsUsage> {
    const { imageFilesystems } = await this.#connection.images("ImageFsInfo", {}).catch((error) => {
      throw fromStatus(error, "Internal");
    });
    const usedBytes = imageFilesystems.reduce((sum, fs) => sum + (fs.usedBytes?.value ?? 0), 0);
    const folder = nearest(imageFilesystems[0]?.fsId?.mountpoint || "/");
    const { bsize, blocks, bavail } = await statfs(folder);
    return { usedBytes, capacityBytes: blocks * bsize, availableBytes: bavail * bsize, folder };
  }
}

/** An engine may name a folder that it only makes with its first image. */
function nearest(path: string): string {
  return existsSync(path) || path === "/" ? path : nearest(dirname(path));
}
