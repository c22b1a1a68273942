import { RuntimeError } from "../../contract.ts";
import { parseImageReference } from "../../images/reference.ts";
import { authFromCri, imageInfo, imageToCri, toNs } from "../translate/index.ts";
import type { CriContext } from "./context.ts";
import type { Handlers } from "./grpc.ts";
import { chunks } from "./sandboxes.ts";

export function imageHandlers(
  { runtime, clock }: CriContext,
  options: { imagesDir: string },
): Handlers<"ImageService"> {
  const { images } = runtime;
  const list = async (name: string) => {
    if (name === "") return (await images.list()).map(imageToCri);
    const image = await images.status(name);
    return image ? [imageToCri(image)] : [];
  };
  const named = (name: string | undefined): string => {
    if (!name) throw new RuntimeError("InvalidArgument", "an image is required");
    return name;
  };
  return {
    async ListImages({ filter }) {
      return { images: await list(filter?.image?.image ?? "") };
    },
    async *StreamImages({ filter }) {
      for (const part of chunks(await list(filter?.image?.image ?? ""))) yield { images: part };
    },
    async ImageStatus({ image, verbose }) {
      const found = await images.status(named(image?.image));
      // An image that is not here is no error.
      if (!found) return {};
      return { image: imageToCri(found), info: verbose ? imageInfo(found) : {} };
    },
    async PullImage({ image, auth }, signal) {
      const name = named(image?.image);
      const credentials = authFromCri(auth, parseImageReference(name).domain);
      return { imageRef: (await images.pull(name, { auth: credentials, signal })).id };
    },
    async RemoveImage({ image }) {
      await images.remove(named(image?.image));
      return {};
    },
    async ImageFsInfo() {
      const { usedBytes } = await images.fsUsage();
      const usage = {
        timestamp: toNs(clock.now()),
        fsId: { mountpoint: options.imagesDir },
        usedBytes: { value: usedBytes },
      };
      return { imageFilesystems: [usage], containerFilesystems: [usage] };
    },
  };
}
