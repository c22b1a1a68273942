/*
 * What a server behind the proxy says of itself holds at its own root; a client sees it below the proxy's path. As
 * `k8s.io/apimachinery/pkg/util/proxy.Transport`.
 */

export interface Rewriting {
  /** The proxy's path, up to the server's root: `/api/v1/namespaces/n/pods/p/proxy`. */
  prefix: string;
  /** As the client names it, in its `Host`. */
  host: string;
}

/** A link as the client must follow it. What leads to another host, or is relative, stays. */
export function rewriteUrl(text: string, { prefix, host }: Rewriting): string {
  const match = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/i.exec(text);
  if (!match) return text;
  const [, scheme, authority, path = "", rest = ""] = match;
  if (scheme && !authority) return text;
  if (authority && authority !== host) return text;
  if (!path.startsWith("/")) return text;
  const origin = authority ? `${scheme ? `${scheme}:` : ""}//${authority}` : "";
  if (path.startsWith(prefix)) return `${origin}${path}${rest}`;
  return `${origin}${joined(prefix, path)}${rest}`;
}

function joined(prefix: string, path: string): string {
  const parts: string[] = [];
  for (const part of `${prefix}/${path}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}${path.endsWith("/") ? "/" : ""}`;
}

/** Attributes that hold links, by element. */
const linkAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ["href"],
  applet: ["codebase"],
  area: ["href"],
  audio: ["src"],
  base: ["href"],
  blockquote: ["cite"],
  body: ["background"],
  button: ["formaction"],
  command: ["icon"],
  del: ["cite"],
  embed: ["src"],
  form: ["action"],
  frame: ["longdesc", "src"],
  head: ["profile"],
  html: ["manifest"],
  iframe: ["longdesc", "src"],
  img: ["longdesc", "src", "usemap"],
  input: ["src", "usemap", "formaction"],
  ins: ["cite"],
  link: ["href"],
  object: ["classid", "codebase", "data", "usemap"],
  q: ["cite"],
  script: ["src"],
  source: ["src"],
  video: ["poster"],
};

/** A comment, a script's or style's whole text, or a tag; a tag's attributes are in the second group. */
const pieces =
  /<!--[\s\S]*?-->|<([a-zA-Z][a-zA-Z0-9]*)((?:\s+[^\s=>/"']+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?|\s*\/?)*)\s*>/g;
const attribute = /(\s+)([^\s=>/"']+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/g;
const rawText: ReadonlySet<string> = new Set(["script", "style"]);

/** The page with its links below the proxy's path. */
export function rewriteHtml(html: string, rewriting: Rewriting): string {
  let out = "";
  let at = 0;
  pieces.lastIndex = 0;
  for (let match = pieces.exec(html); match; match = pieces.exec(html)) {
    const [whole, name, attributes] = match;
    out += html.slice(at, match.index);
    at = match.index + whole.length;
    if (name === undefined) {
      out += whole;
      continue;
    }
    const element = name.toLowerCase();
    const links = linkAttributes[element];
    const changed = links
      ? attributes!.replace(attribute, (all, space, key, equals, value) =>
          links.includes(key.toLowerCase()) ? `${space}${key}${equals}${rewritten(value, rewriting)}` : all,
        )
      : attributes;
    out += `${whole.slice(0, 1 + name.length)}${changed}${whole.slice(1 + name.length + attributes!.length)}`;
    if (!rawText.has(element)) continue;
    // What a script says is no markup.
    const end = html.toLowerCase().indexOf(`</${element}`, at);
    if (end < 0) break;
    out += html.slice(at, end);
    at = end;
    pieces.lastIndex = end;
  }
  return out + html.slice(at);
}

function rewritten(value: string, rewriting: Rewriting): string {
  const quote = /^["']/.test(value) ? value[0]! : "";
  const link = quote ? value.slice(1, -1) : value;
  const plain = link.replaceAll("&amp;", "&");
  const moved = rewriteUrl(plain, rewriting);
  return moved === plain ? value : `${quote}${moved.replaceAll("&", "&amp;")}${quote}`;
}
