import { type corev1, matchesRequiredNode } from "../../api/index.ts";
import { type Filter, perNodeFilter, type Refusal } from "./filter.ts";

const name = "NodeAffinity";
const refusal = (reason: string): Refusal => ({ by: name, reasons: [reason], helpedBy: "nothing" });

/**
 * As plugin NodeAffinity before it looks at nodes: a pod whose affinity names its nodes, as each of a daemon set does,
 * is not tried on others, and is told no more of them than that.
 */
export const namedNodesFilter: Filter = {
  name,
  wakesOn: ["node"],
  prepare({ pod }) {
    const named = namedNodes(pod);
    if (!named) return undefined;
    if (named.size === 0) return { refusesAll: refusal("pod affinity terms conflict") };
    const other = refusal(`node(s) didn't satisfy plugin(s) [${name}]`);
    return { refusalOf: ({ node }) => (named.has(node.metadata.name!) ? undefined : other) };
  },
};

/** Undefined where one of the terms, which are alternatives, names none. */
function namedNodes({ spec }: corev1.Pod): ReadonlySet<string> | undefined {
  const required = spec!.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = required?.nodeSelectorTerms ?? [];
  if (terms.length === 0) return undefined;
  const names = new Set<string>();
  for (const { matchFields = [] } of terms) {
    const lists = matchFields
      .filter(({ key, operator }) => key === "metadata.name" && operator === "In")
      .map(({ values = [] }) => values);
    const [first, ...others] = lists;
    if (!first) return undefined;
    for (const each of first) if (others.every((list) => list.includes(each))) names.add(each);
  }
  return names;
}

/** As plugin NodeAffinity: `nodeSelector` and the required part of `affinity.nodeAffinity`. */
export const nodeAffinityFilter = perNodeFilter({
  name,
  wakesOn: ["node"],
  helpedBy: "nothing",
  reasonsOf: ({ pod }, { node }) =>
    matchesRequiredNode(pod, node) ? undefined : ["node(s) didn't match Pod's node affinity/selector"],
});
