import type { Image, ImageConfig, RegistryAuth } from "../../contract.ts";
import { RuntimeError } from "../../contract.ts";
import type { Message, Sparse } from "../wire/index.ts";
import { wrapped } from "./security.ts";

export function imageToCri(image: Image): Sparse<"Image"> {
  return {
    id: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    size: image.sizeBytes,
    pinned: image.pinned,
    uid: wrapped(image.user.uid),
    username: image.user.name,
    spec: { image: image.id },
  };
}

export function imageFromCri(image: Message<"Image">, config: ImageConfig): Image {
  return {
    id: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    sizeBytes: image.size,
    ...(image.pinned && { pinned: true }),
    user: {
      ...(image.uid && { uid: image.uid.value }),
      ...(image.username && { name: image.username }),
    },
    config,
  };
}

/** In the form of containerd's verbose answer, which `crictl inspecti` users read. */
export function imageInfo(image: Image): Record<string, string> {
  return { info: JSON.stringify({ imageSpec: { config: image.config } }) };
}

export function imageConfigFromInfo(info: Record<string, string>): ImageConfig {
  try {
    return JSON.parse(info["info"] ?? "{}").imageSpec?.config ?? {};
  } catch {
    return {};
  }
}

export function authToCri(auth: RegistryAuth | undefined): Sparse<"AuthConfig"> | undefined {
  return (
    auth && {
      serverAddress: auth.registry,
      username: auth.username,
      password: auth.password,
      identityToken: auth.identityToken,
    }
  );
}

/** `registry`: the image's, where the client names none. */
export function authFromCri(auth: Message<"AuthConfig"> | null, registry: string): RegistryAuth[] {
  if (!auth) return [];
  if (auth.registryToken) throw new RuntimeError("InvalidArgument", "a registry_token is not supported");
  const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(auth.auth, "base64").toString()) ?? [];
  const username = auth.username || user;
  if (!username && !auth.identityToken) return [];
  return [
    {
      registry: auth.serverAddress.replace(/^https?:\/\//, "") || registry,
      ...(username && { username, password: auth.password || password || "" }),
      ...(auth.identityToken && { identityToken: auth.identityToken }),
    },
  ];
}
