import { resolve } from "node:path";
import type { ImageRow, Images } from "../cluster.ts";
import type { CommandContext } from "../context.ts";
import { ask } from "../control/client.ts";
import { requireRoot } from "../host/checks.ts";
import { humanBytes, table } from "../output.ts";
import { runningProcess } from "../run-file.ts";

/** The running process's images, or the directory's when none runs: never two writers at once. */
async function imagesOf(context: CommandContext): Promise<Images> {
  requireRoot();
  if (!runningProcess(context.dir)) return (await context.cluster()).openImages(context.dir);
  const socket = context.dir.controlSocket;
  return {
    list: () => ask<ImageRow[]>(socket, { do: "images" }),
    load: (path, { tag }) => ask<ImageRow[]>(socket, { do: "loadImage", path, tag }),
    pull: (name) => ask<ImageRow>(socket, { do: "pullImage", name }),
    remove: (name) => ask<void>(socket, { do: "removeImage", name }),
  };
}

export async function imageLoad(
  context: CommandContext,
  path: string,
  options: { tag?: string },
): Promise<void> {
  const images = await imagesOf(context);
  const loaded = await images.load(resolve(path), { tag: options.tag });
  for (const image of loaded) context.print(`Loaded ${image.tags[0] ?? image.id}`);
}

export async function imagePull(context: CommandContext, name: string): Promise<void> {
  const images = await imagesOf(context);
  const image = await context.task(`Pulling ${name}`, () => images.pull(name));
  context.print(image.digests[0] ?? image.id);
}

export async function imageList(context: CommandContext): Promise<void> {
  const images = await (await imagesOf(context)).list();
  const rows = images.flatMap((image) =>
    (image.tags.length ? image.tags : ["<none>:<none>"]).map((tag) => {
      const colon = tag.lastIndexOf(":");
      return [tag.slice(0, colon), tag.slice(colon + 1), image.id.slice(7, 19), humanBytes(image.sizeBytes)];
    }),
  );
  context.print(
    table([["IMAGE", "TAG", "IMAGE ID", "SIZE"], ...rows.sort((a, b) => a[0]!.localeCompare(b[0]!))]),
  );
}

export async function imageRemove(context: CommandContext, names: readonly string[]): Promise<void> {
  const images = await imagesOf(context);
  for (const name of names) {
    await images.remove(name);
    context.print(`Removed ${name}`);
  }
}
