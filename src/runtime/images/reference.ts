import { RuntimeError } from "../contract.ts";

/** An image's name in full, as `distribution/reference` normalises it. */
export interface ImageReference {
  /** `docker.io`, `registry.example:5000`. */
  domain: string;
  /** `library/nginx`. */
  path: string;
  tag?: string;
  /** `sha256:…`; where both are given, it wins over the tag. */
  digest?: string;
}

/** The domain and path together may not be longer. As `distribution/reference` has it. */
const repositoryNameLengthMax = 255;

const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domain = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const pathComponent = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const fullReference = new RegExp(
  `^(${domain})/(${pathComponent}(?:/${pathComponent})*)(?::(\\w[\\w.-]{0,127}))?(?:@(${digest}))?$`,
);

const digestHexLength: Record<string, number> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * Reads what a user writes as an image: `nginx`, `team/app:v1`, `localhost:5000/app@sha256:…`. Without tag and digest,
 * the tag is `latest`.
 *
 * @throws RuntimeError `InvalidImageName`, with the words that kubelet's event has after "Failed to apply default image tag".
 */
export function parseImageReference(name: string): ImageReference {
  const fail = (why: string) =>
    new RuntimeError("InvalidImageName", `couldn't parse image name ${JSON.stringify(name)}: ${why}`);
  if (/^[a-f0-9]{64}$/.test(name)) {
    throw fail(`invalid repository name (${name}), cannot specify 64-byte hexadecimal strings`);
  }
  const [host, rest] = splitDomain(name);
  const repository = rest.split(":", 1)[0]!;
  if (repository.toLowerCase() !== repository) {
    throw fail(`invalid reference format: repository name (${repository}) must be lowercase`);
  }
  const match = fullReference.exec(`${host}/${rest}`);
  if (!match) throw fail("invalid reference format");
  const [, matchedDomain, path, tag, matchedDigest] = match;
  if (`${matchedDomain}/${path}`.length > repositoryNameLengthMax) {
    throw fail(`repository name must not be more than ${repositoryNameLengthMax} characters`);
  }
  if (matchedDigest !== undefined) {
    const why = digestFault(matchedDigest);
    if (why) throw fail(why);
    return { domain: matchedDomain!, path: path!, ...(tag !== undefined && { tag }), digest: matchedDigest };
  }
  return { domain: matchedDomain!, path: path!, tag: tag ?? "latest" };
}

function splitDomain(name: string): [domain: string, rest: string] {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  // A first part is a host only where it looks like one: `team/app` is Docker Hub's, `localhost/app` is not.
  const isHost =
    first !== "" && (/[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first);
  if (!isHost) return ["docker.io", slash < 0 ? `library/${name}` : name];
  const rest = name.slice(slash + 1);
  if (first !== "index.docker.io" && first !== "docker.io") return [first, rest];
  return ["docker.io", rest.includes("/") ? rest : `library/${rest}`];
}

function digestFault(text: string): string | undefined {
  const colon = text.indexOf(":");
  const length = digestHexLength[text.slice(0, colon)];
  if (length === undefined) return "unsupported digest algorithm";
  const hex = text.slice(colon + 1);
  if (hex.length !== length) return "invalid checksum digest length";
  return /^[a-f0-9]+$/.test(hex) ? undefined : "invalid checksum digest format";
}

/** `docker.io/library/nginx`. */
export function repositoryName(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The canonical name: `docker.io/library/nginx:latest`, or with the digest where there is one. */
export function formatImageReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const suffix = reference.digest === undefined ? "" : `@${reference.digest}`;
  return repositoryName(reference) + tag + suffix;
}
