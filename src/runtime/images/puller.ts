import type { Log } from "../../base/index.ts";
import { type RegistryAuth, RuntimeError } from "../contract.ts";
import { credentialsFor } from "./credentials.ts";
import type { Digest } from "./digest.ts";
import type { Downloads } from "./downloads.ts";
import { checkConfig, descend, type ImageSource } from "./image-source.ts";
import { configBytesMax, type Platform, parseConfig } from "./manifest.ts";
import { formatImageReference, type ImageReference } from "./reference.ts";
import { endpointsFor, type RegistriesConfig } from "./registries.ts";
import { NotFoundError, type RegistryClient, type Repository } from "./registry-client.ts";

/** A tag, or a digest, as an endpoint resolved it. */
export interface Resolved {
  digest: Digest;
  from: Repository;
}

/** Finds an image at the endpoints of its registry. Failures are `RuntimeError`s in containerd's words. */
export class Puller {
  readonly #client: RegistryClient;
  readonly #downloads: Downloads;
  readonly #config: RegistriesConfig;
  readonly #platform: Platform;
  readonly #log: Log;

  constructor(options: {
    client: RegistryClient;
    downloads: Downloads;
    config: RegistriesConfig;
    platform: Platform;
    log: Log;
  }) {
    this.#client = options.client;
    this.#downloads = options.downloads;
    this.#config = options.config;
    this.#platform = options.platform;
    this.#log = options.log;
  }

  /** Asks the endpoints in turn; the first one that has it, is where everything else comes from. */
  async resolve(
    reference: ImageReference,
    auth: readonly RegistryAuth[],
    signal: AbortSignal | undefined,
  ): Promise<Resolved> {
    let failure: Error | undefined;
    for (const endpoint of endpointsFor(reference, this.#config)) {
      const from = { endpoint, credentials: credentialsFor(reference, endpoint, auth, this.#config) };
      try {
        const digest = await this.#client.resolve(from, reference.digest ?? reference.tag!, signal);
        return { digest, from };
      } catch (error) {
        signal?.throwIfAborted();
        this.#log.debug({ err: error, endpoint: endpoint.base.href }, "not resolved here");
        // What an endpoint said of access or of itself says more than another's "not found".
        if (!failure || failure instanceof NotFoundError) failure = error as Error;
      }
    }
    throw resolveFailure(reference, failure!);
  }

  async source(
    reference: ImageReference,
    { digest, from }: Resolved,
    signal?: AbortSignal,
  ): Promise<ImageSource> {
    try {
      const first = await this.#client.manifest(from, digest, signal);
      const fetch = async (next: Digest) => (await this.#client.manifest(from, next, signal)).bytes;
      const { manifest, digests, sizeBytes } = await descend(first, this.#platform, fetch);
      const config = parseConfig(await this.#client.blob(from, manifest.config, configBytesMax, signal));
      checkConfig(config, manifest.layers.length, this.#platform);
      return {
        id: manifest.config.digest,
        config,
        layers: manifest.layers.map((layer, i) => ({
          digest: layer.digest,
          diffId: config.diffIds[i]!,
          fetch: (layerSignal) => this.#downloads.fetch(from, layer, layerSignal),
        })),
        sizeBytes:
          sizeBytes + manifest.config.size + manifest.layers.reduce((sum, layer) => sum + layer.size, 0),
        manifestDigests: digests,
      };
    } catch (error) {
      signal?.throwIfAborted();
      throw pullFailure(reference, error as Error);
    }
  }
}

function resolveFailure(reference: ImageReference, error: Error): RuntimeError {
  const name = formatImageReference(reference);
  const what = error instanceof NotFoundError ? `${name}: not found` : error.message;
  const cause = new Error(`failed to resolve reference ${JSON.stringify(name)}: ${what}`, { cause: error });
  return pullFailure(reference, cause);
}

/** Whatever stopped a pull, as the event about it says it. */
export function pullFailure(reference: ImageReference, error: Error): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const name = JSON.stringify(formatImageReference(reference));
  const message = `failed to pull and unpack image ${name}: ${error.message}`;
  return new RuntimeError("ErrImagePull", message, { cause: error });
}
