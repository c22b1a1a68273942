import type { Image, OpenImageStore } from "../runtime/index.ts";
import type { ImageRow, Images } from "./cluster.ts";

const rowOf = (image: Image): ImageRow => ({
  id: image.id,
  tags: image.repoTags,
  digests: image.repoDigests,
  sizeBytes: image.sizeBytes,
});

/** A store's images as the command line shows them. */
export function imagesOf(store: Pick<OpenImageStore, "list" | "load" | "pull" | "remove">): Images {
  return {
    list: async () => (await store.list()).map(rowOf),
    load: async (path, { tag }) => (await store.load(path, { tag })).map(rowOf),
    pull: async (name) => rowOf(await store.pull(name, {})),
    remove: (name) => store.remove(name),
  };
}
