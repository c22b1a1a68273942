import { type AffinityTerm, isAbout, type WeightedTerm } from "../affinity-terms.ts";
import { countAbout } from "../node-info.ts";
import { TopologyCounts } from "../topology-counts.ts";
import { type Scorer, scoreMax } from "./scorer.ts";

/** What it is worth to be near a pod that requires this one near it. As upstream's `HardPodAffinityWeight`. */
const requiredWeight = 1;

/** As InterPodAffinity: what the pod prefers of others, and what others prefer of it. */
export const preferredNeighbours: Scorer = {
  name: "InterPodAffinity",
  weight: 2,
  scores: (pending, view, nodes) => {
    const { preferredAffinity, preferredAntiAffinity } = pending.terms;
    const namespaceLabels = (namespace: string) => view.namespaceLabels(namespace);
    const worth = new TopologyCounts();
    for (const info of view.nodes) {
      const labels = info.node.metadata.labels ?? {};
      const addOwn = (term: WeightedTerm, sign: 1 | -1) => {
        const count = countAbout(info, term, (pod) => isAbout(term, pod, namespaceLabels));
        worth.add(term.topologyKey, labels, sign * term.weight * count);
      };
      for (const term of preferredAffinity) addOwn(term, 1);
      for (const term of preferredAntiAffinity) addOwn(term, -1);
      for (const { terms } of info.withAffinity.values()) {
        const add = (term: AffinityTerm, weight: number) => {
          if (isAbout(term, pending, namespaceLabels)) worth.add(term.topologyKey, labels, weight);
        };
        for (const term of terms.requiredAffinity) add(term, requiredWeight);
        for (const term of terms.preferredAffinity) add(term, term.weight);
        for (const term of terms.preferredAntiAffinity) add(term, -term.weight);
      }
    }
    if (worth.isEmpty) return undefined;
    const raw = nodes.map(({ node }) => worth.sumAt(node.metadata.labels ?? {}));
    const [least, most] = [Math.min(...raw), Math.max(...raw)];
    if (most === least) return undefined;
    return raw.map((value) => Math.floor((scoreMax * (value - least)) / (most - least)));
  },
};
