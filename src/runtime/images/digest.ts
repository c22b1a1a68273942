import { createHash, type Hash } from "node:crypto";

/** `sha256:` and 64 hex digits (or sha512, 128). */
export type Digest = string;

const pattern = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && pattern.test(text);
}

export function digestOf(bytes: Buffer | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A hash of the kind that `digest` is made with. */
export function hashFor(digest: Digest): Hash {
  return createHash(digest.slice(0, digest.indexOf(":")));
}

export function matchesDigest(bytes: Buffer, digest: Digest): boolean {
  return hashFor(digest).update(bytes).digest("hex") === digest.slice(digest.indexOf(":") + 1);
}

/**
 * What a stack of layers is known by: each id stands for a layer and everything below it. As the OCI image
 * specification's ChainID: a layer's implied parent directories take their attributes from below, so the same
 * layer over another base is another directory.
 */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
