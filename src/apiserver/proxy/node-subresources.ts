/**
 * What a page of a node's agent is about, for authorization: who may read just that need not be allowed all. As the
 * kubelet's fine-grained authorization (`pkg/kubelet/server.GetRequestAttributes`), which the API server does in its
 * place here: nodes have no port of their own.
 */
export function nodeSubresources(path: string): string[] {
  const [, first = ""] = path.split("/");
  return [...(own[first] ? [own[first]] : []), "proxy"];
}

const own: Readonly<Record<string, string>> = {
  stats: "stats",
  metrics: "metrics",
  logs: "log",
  pods: "pods",
  runningpods: "pods",
  healthz: "healthz",
  configz: "configz",
};
