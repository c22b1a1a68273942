/** Of one connection, not of what goes over it; as RFC 9110 and `httputil.ReverseProxy` have them. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/** Who asked is the API server's matter: what proves it must not reach a pod. */
const ownHeaders = /^(authorization|impersonate-.*|x-remote-.*|x-forwarded-for|:.*)$/;

export type HeaderValues = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The headers of a request, as the server behind gets them. */
export function requestHeaders(
  given: HeaderValues,
  forwarded: { for: string; uri: string; host: string },
): Record<string, string | string[]> {
  const headers = endToEnd(given, (name) => !ownHeaders.test(name));
  const before = [given["x-forwarded-for"] ?? []].flat();
  headers["host"] = forwarded.host;
  headers["x-forwarded-for"] = [...before, forwarded.for].join(", ");
  headers["x-forwarded-uri"] = forwarded.uri;
  return headers;
}

/** The headers of an answer. Which other sites may read it is the API server's to say. */
export const answerHeaders = (given: HeaderValues): Record<string, string | string[]> =>
  endToEnd(given, (name) => !name.startsWith("access-control-"));

function endToEnd(
  given: HeaderValues,
  isWanted: (name: string) => boolean,
): Record<string, string | string[]> {
  const named = new Set(
    [given["connection"] ?? []]
      .flat()
      .join(",")
      .split(",")
      .map((name) => name.trim().toLowerCase()),
  );
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || hopByHop.has(name) || named.has(name) || !isWanted(name)) continue;
    headers[name] = typeof value === "string" ? value : [...value];
  }
  return headers;
}
