/**
 * `$(NAME)` stands for a variable, `$$` for `$`; what is not known stays as it is written. As
 * `k8s.io/kubernetes/third_party/forked/golang/expansion`.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  if (!text.includes("$")) return text;
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char !== "$" || i + 1 === text.length) {
      out += char;
      continue;
    }
    const next = text[i + 1]!;
    if (next === "$") {
      out += "$";
      i++;
      continue;
    }
    const close = next === "(" ? text.indexOf(")", i) : -1;
    if (close < 0) {
      out += char;
      continue;
    }
    const name = text.slice(i + 2, close);
    out += lookup(name) ?? `$(${name})`;
    i = close;
  }
  return out;
}
