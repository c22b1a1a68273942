import type { Image, ImageService } from "./contract.ts";

/** Images on this machine, unpacked; what the `oci/` engine needs beyond the contract's {@link ImageService}. */
export interface ImageStore extends ImageService {
  /**
   * An image's root filesystem as directories to overlay, by the id that `status` gave.
   * `layers` are absolute and lowest first. Rejects with a `NotFound` RuntimeError when the image is not here.
   */
  rootfs(imageId: string): Promise<{ layers: string[]; image: Image }>;
}
