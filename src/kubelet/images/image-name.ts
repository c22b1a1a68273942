/** The grammar of `distribution/reference`, as far as it decides what is a name. */
const domain =
  "(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?";
const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const reference = new RegExp(
  `^(?:${domain}/)?${component}(?:/${component})*(?::[\\w][\\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`,
);
const bareDigest = /^[a-f0-9]{64}$/;
const nameLengthMax = 255;

/** What is wrong with an image's name, in the words of upstream's parser; undefined for a good one. */
export function imageNameError(image: string): string | undefined {
  if (bareDigest.test(image)) {
    return `couldn't parse image name "${image}": invalid repository name (${image}), cannot specify 64-byte hexadecimal strings`;
  }
  if (!reference.test(image)) {
    const lower = image.toLowerCase();
    return lower !== image && reference.test(lower)
      ? `couldn't parse image name "${image}": invalid reference format: repository name (${image}) must be lowercase`
      : `couldn't parse image name "${image}": invalid reference format`;
  }
  const name = image.replace(/@.*$/, "").replace(/:[^/]*$/, "");
  return name.length > nameLengthMax
    ? `couldn't parse image name "${image}": repository name must not be more than ${nameLengthMax} characters`
    : undefined;
}

/** The registry an image comes from, and its path there: `docker.io`, `library/nginx`. */
export function registryOf(image: string): { registry: string; path: string } {
  const bare = image.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  const slash = bare.indexOf("/");
  const first = slash < 0 ? "" : bare.slice(0, slash);
  const isHost = first.includes(".") || first.includes(":") || first === "localhost";
  if (isHost) return { registry: first, path: bare.slice(slash + 1) };
  return { registry: "docker.io", path: slash < 0 ? `library/${bare}` : bare };
}
